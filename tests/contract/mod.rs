//! docsfy's HTTP contract, cell by cell (docsfy-behaviour 1.3), held against real processes: once `docmill serve`, and
//! once two `docmill api` that take turns, with a `docmill worker` behind them.
//!
//! A case has users and projects of its own, so all of them run at the same time on one installation. A case goes on
//! after a difference; a run lists all differences of all cases.

mod target;
mod asking;
#[path = "../../worker/src/git/tests/server.rs"]
#[expect(dead_code, reason = "the servers that misbehave are for the tests of git")]
mod git_server;
mod common;
mod sessions;
mod keys;
mod users;
mod grants;
mod settings;
mod generate;
mod generate_refused;
mod projects;
mod owners;
mod deletes;
mod aborts;
mod downloads;
mod sites;
mod live;
mod bad_input;

use std::{future::Future, pin::Pin, sync::Arc, time::Instant};

use tokio::{sync::Semaphore, task::JoinSet};

use asking::Cx;
use target::Target;

type Case = (&'static str, fn(Cx) -> Pin<Box<dyn Future<Output = ()> + Send>>);

/// Cases that run at the same time.
const AT_A_TIME: usize = 12;

macro_rules! cases {
    ($($module:ident { $($case:ident)* })*) => {
        &[$($((concat!(stringify!($module), "::", stringify!($case)), |cx| Box::pin($module::$case(cx)))),*),*]
    };
}

const CASES: &[Case] = cases! {
    common {
        health_is_public
        whoever_is_unknown_hears_401_before_anything_else
        what_is_no_route_is_404_to_read_and_405_to_change
        no_slash_is_added_or_taken
        a_method_that_a_route_lacks_is_405_and_the_answer_names_those_it_has
        a_path_is_decoded_once_and_before_it_is_routed
        head_is_get_without_a_body
        every_answer_tells_browsers_what_not_to_do
        models_are_listed_for_everybody
        the_description_is_public_and_names_every_route
    }
    sessions {
        a_login_gives_the_cookie_letter_by_letter
        a_login_that_cannot_be_is_told_as_docsfy_does
        me_is_told_by_key_and_by_cookie
        a_logout_always_succeeds_and_ends_the_session
        a_session_does_what_its_user_may_and_no_other_site_can_use_it
        the_form_works_without_a_script
        a_role_has_its_name_in_every_answer
        guessing_is_slowed_down_for_one_name_on_every_process
    }
    keys {
        everybody_but_the_built_in_admin_may_change_the_own_key
        a_new_key_ends_every_session
        a_key_can_be_chosen_by_both_names_of_the_field
        an_empty_body_or_field_makes_a_key
        a_key_that_cannot_be_is_refused
        an_admin_changes_the_keys_of_others
    }
    users {
        a_new_user_is_shown_once_with_its_key
        a_user_that_cannot_be_is_refused
        the_name_of_the_admin_is_reserved
        a_broken_body_is_told_as_docsfy_does_for_admins
        users_are_listed_with_the_newest_first
        only_admins_see_and_make_users
        a_deleted_user_is_gone_with_everything
        a_user_who_cannot_be_deleted_stays
    }
    grants {
        a_grant_opens_a_project_for_reading_until_it_is_revoked
        readers_are_listed_in_order
        a_grant_that_cannot_be_is_refused
        only_admins_share
    }
    settings {
        settings_are_shown_and_changed_by_admins
        a_setting_that_cannot_be_is_refused
        models_are_refreshed_by_admins
        costs_are_those_of_the_own_variants
    }
    generate {
        an_admin_names_a_folder_and_reads_the_site
        a_user_names_an_address_and_owns_what_is_made
        branches_with_slashes_and_tags_are_named_by_their_code
        what_is_being_generated_is_not_started_again
        a_run_that_fails_says_why
        a_second_repository_of_the_same_name_is_told_apart
    }
    generate_refused {
        sources_that_are_none
        branches_that_are_none
        fields_of_other_kinds
        bodies_that_are_none
        the_body_comes_before_the_role_and_the_role_before_the_rest
        repositories_that_cannot_be_used
        models_that_are_missing_or_wrong
    }
    projects {
        a_list_has_every_key_in_order
        a_variant_has_docsfys_values
        a_variant_that_is_none_is_not_found
        a_project_lists_its_variants
        a_generation_leads_to_its_variant
        everybody_sees_the_own_and_the_shared
        a_list_that_is_known_is_not_sent_again
    }
    owners {
        an_admin_means_the_own_variant_then_the_only_one_then_says_whose
        a_row_without_an_owner_is_named_by_nothing
        others_are_not_heard_when_they_name_an_owner
        a_reader_of_several_owners_must_ask_an_admin
        the_newest_of_several_owners_is_served_and_a_tie_is_told
    }
    deletes {
        an_owner_deletes_a_variant_and_its_site
        an_admin_says_whose_variant_is_deleted
        a_variant_that_is_not_ones_own_is_not_found
        what_is_being_generated_is_not_deleted
        a_project_goes_with_all_variants_of_its_owner
        a_branch_with_a_slash_is_deleted_by_its_code
    }
    aborts {
        a_running_generation_is_ended_by_its_variant_and_by_its_project
        a_branch_with_a_slash_is_aborted_by_its_code
        nobody_waits_longer_than_five_seconds
        a_generation_that_ends_by_itself_was_not_aborted
        what_is_meant_must_be_clear
        only_writers_abort_and_only_their_own
    }
    downloads {
        an_archive_is_named_and_packed_as_docsfy_does
        what_cannot_be_downloaded_is_told
        a_site_whose_files_are_gone_is_told
        the_newest_site_is_downloaded_and_an_older_run_does_not_take_it_away
    }
    sites {
        a_page_is_found_by_both_addresses
        what_is_no_site_is_told
        no_path_leads_out_of_a_site
        readers_with_a_browser_are_sent_to_the_form_and_others_are_told
        the_last_good_site_stays_when_a_newer_run_fails
    }
    live {
        a_socket_opens_for_a_token_or_a_cookie_and_is_403_otherwise
        a_socket_begins_with_everything_that_one_may_see
        events_of_a_variant_can_be_followed_and_resumed
    }
    bad_input {
        bodies_over_the_limit_are_413_however_they_come
        slow_headers_are_cut
        too_many_and_too_large_headers_are_refused
        what_is_no_http_is_refused
        unusual_http_is_understood
        texts_that_are_no_utf8_are_refused
        nul_is_refused_wherever_it_stands
        secrets_of_other_alphabets_open_nothing
        secrets_of_other_alphabets_open_no_socket
        json_that_is_none_is_refused
        the_last_of_two_equal_keys_counts
        values_of_other_kinds_are_refused_with_a_sentence
        keys_grants_and_settings_of_other_kinds_are_refused
    }
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn serve_answers_as_the_contract_says() {
    hold(Target::serve().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_api_processes_that_take_turns_answer_as_the_contract_says() {
    hold(Target::two_apis().await).await;
}

/// Runs every case, then ends the processes and reads their logs.
async fn hold(target: Target) {
    let begun = Instant::now();
    let (target, turns) = (Arc::new(target), Arc::new(Semaphore::new(AT_A_TIME)));
    // to look at one case while it is made
    let only = std::env::var("CONTRACT_CASE").unwrap_or_default();
    let mut running = JoinSet::new();
    let chosen: Vec<Case> = CASES.iter().copied().filter(|(name, _)| name.contains(&only)).collect();
    for (name, case) in chosen {
        let (cx, turns) = (Cx::new(target.clone()), turns.clone());
        running.spawn(async move {
            let _turn = turns.acquire_owned().await.unwrap();
            let begun = Instant::now();
            let ended = tokio::spawn(case(cx.clone())).await;
            println!("{name} took {:?}", begun.elapsed());
            let mut problems = cx.problems();
            if let Err(panic) = ended {
                problems.push(panic_text(panic));
            }
            (name, problems)
        });
    }
    let mut found = Vec::new();
    for (name, problems) in running.join_all().await {
        found.extend(problems.into_iter().map(|problem| format!("{name}: {problem}")));
    }
    println!("{} cases with {} answers in {:?}", CASES.len(), target.answers(), begun.elapsed());
    let target = Arc::into_inner(target).expect("every case has ended");
    found.extend(tokio::task::spawn_blocking(|| target.end()).await.unwrap());
    found.sort();
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

fn panic_text(panic: tokio::task::JoinError) -> String {
    let panic = panic.into_panic();
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    format!("it panicked: {}", text.unwrap_or_default())
}
