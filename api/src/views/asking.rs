//! One question for all who ask together. Who comes while it is being answered waits for the next one, because the answer
//! may miss what he knows of; so however many ask, two questions are on their way: one asked, one about to be.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use super::Failure;

type Answer<T> = Shared<BoxFuture<'static, Result<T, Failure>>>;

/// A question that is asked again and again.
pub(super) struct Asking<T: Clone> {
    /// The answer to the question that was not asked yet.
    next: Mutex<Option<Answer<T>>>,
    turn: tokio::sync::Mutex<()>,
}

impl<T: Clone> Default for Asking<T> {
    fn default() -> Self {
        Self { next: Mutex::new(None), turn: tokio::sync::Mutex::new(()) }
    }
}

impl<T: Clone + Send + Sync + 'static> Asking<T> {
    /// An answer to a question that was asked after this call began. `question` is the same for all who ask.
    pub(super) async fn ask(
        self: &Arc<Self>,
        question: impl Future<Output = sqlx::Result<T>> + Send + 'static,
    ) -> Result<T, Failure> {
        let answer = self.join_next(question);
        answer.await
    }

    fn join_next(self: &Arc<Self>, question: impl Future<Output = sqlx::Result<T>> + Send + 'static) -> Answer<T> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = &*next {
            return answer.clone();
        }
        // no strong reference: the future is kept in what it would refer to
        let asking = Arc::downgrade(self);
        let answer = async move {
            let Some(asking) = asking.upgrade() else {
                return Err(Arc::new(sqlx::Error::PoolClosed));
            };
            let _turn = asking.turn.lock().await;
            *asking.next.lock().unwrap_or_else(PoisonError::into_inner) = None;
            question.await.map_err(Arc::new)
        };
        let answer = answer.boxed().shared();
        *next = Some(answer.clone());
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn those_who_come_while_a_question_is_answered_share_the_next_one() {
        let asking = Arc::new(Asking::<u32>::default());
        let (asked, gate) = (Arc::new(AtomicU32::new(0)), Arc::new(Semaphore::new(0)));
        let ask = || {
            let (asking, asked, gate) = (asking.clone(), asked.clone(), gate.clone());
            tokio::spawn(async move {
                let question = async move {
                    let number = asked.fetch_add(1, Ordering::SeqCst) + 1;
                    gate.acquire().await.unwrap().forget();
                    Ok(number)
                };
                asking.ask(question).await.unwrap()
            })
        };
        let first = ask();
        while asked.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let later: Vec<_> = (0..16).map(|_| ask()).collect();
        // one who goes away takes nothing from the others
        later[0].abort();
        for _ in 0..64 {
            tokio::task::yield_now().await;
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        gate.add_permits(2);
        assert_eq!(first.await.unwrap(), 1);
        for answer in later.into_iter().skip(1) {
            assert_eq!(answer.await.unwrap(), 2);
        }
        gate.add_permits(1);
        assert_eq!(ask().await.unwrap(), 3);
    }
}
