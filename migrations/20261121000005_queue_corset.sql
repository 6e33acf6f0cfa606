-- Guards on top of apalis-postgres 1.0.0, whose version is pinned. Its migrations ran before ours.

-- apalis leaves a task 'Running' for ever when its handler is ended from outside. Our rows decide about retries, so such a
-- task is simply over; the reaper rings again if our row still needs a worker. This trigger never writes to our rows.
CREATE FUNCTION docmill_end_abandoned_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status IN ('Queued', 'Running') AND NEW.status = 'Running'
       AND NEW.done_at IS NOT NULL AND NEW.done_at IS DISTINCT FROM OLD.done_at THEN
        NEW.status := 'Killed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER docmill_end_abandoned_task BEFORE UPDATE OF status ON apalis.jobs
    FOR EACH ROW EXECUTE FUNCTION docmill_end_abandoned_task();

-- apalis's own get_jobs plans its LIMIT as a tenth of the table and reads all of it for every fetch. Picking the ids first
-- keeps the fetch on the partial index however long the queue is. Same name, arguments and result.
CREATE OR REPLACE FUNCTION apalis.get_jobs(worker_id text, v_job_type text, v_job_count integer DEFAULT 5)
RETURNS SETOF apalis.jobs LANGUAGE sql VOLATILE AS $$
    UPDATE apalis.jobs
       SET status = 'Queued', lock_by = worker_id, lock_at = now()
     WHERE id = ANY (ARRAY(
         SELECT id
           FROM apalis.jobs
          WHERE (status = 'Pending' OR (status = 'Failed' AND attempts < max_attempts))
            AND run_at < now()
            AND job_type = v_job_type
          ORDER BY priority DESC, run_at ASC
          LIMIT v_job_count
            FOR UPDATE SKIP LOCKED))
    RETURNING *;
$$;

-- finished tasks are deleted by age
CREATE INDEX docmill_finished_tasks ON apalis.jobs (done_at) WHERE done_at IS NOT NULL;
