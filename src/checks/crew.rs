//! The threads that look. One that has come to the end of a check takes the next one: a thread for
//! each of a thousand checks costs more than the looking.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

/// Checks that run at the same time at most.
pub(super) const AT_ONCE: usize = 64;

/// What a thread does next.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// Threads and what is given to them; they end when this is dropped and they have done it.
pub(super) struct Crew {
    sender: Sender<Job>,
    queue: Arc<Mutex<Receiver<Job>>>,
    threads: usize,
}

impl Default for Crew {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel();
        Self { sender, queue: Arc::new(Mutex::new(receiver)), threads: 0 }
    }
}

impl Crew {
    /// Gives a job to a free thread, or to a new one when as many are busy as there are.
    ///
    /// # Errors
    /// When there is no free thread and no new one can be started.
    pub(super) fn give(&mut self, busy: usize, job: Job) -> io::Result<()> {
        if busy >= self.threads {
            let queue = self.queue.clone();
            std::thread::Builder::new().name("check".into()).spawn(move || work(&queue))?;
            self.threads += 1;
        }
        // The queue is here, so that somebody takes it.
        self.sender.send(job).map_err(|_| io::Error::other("nobody takes it"))
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    // Whoever waits for a job holds the queue, and leaves it before doing the job.
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(job) = next() {
        job();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::thread;

    use super::*;

    #[test]
    fn p6_a_thread_is_started_only_when_none_is_free() {
        let mut crew = Crew::default();
        let (sender, receiver) = mpsc::channel();
        let job = || -> Job {
            let sender = sender.clone();
            Box::new(move || sender.send(thread::current().id()).unwrap())
        };
        let mut seen = BTreeSet::new();
        for _ in 0..10 {
            crew.give(0, job()).unwrap();
            seen.insert(format!("{:?}", receiver.recv().unwrap()));
        }
        assert_eq!((seen.len(), crew.threads), (1, 1));
        crew.give(1, job()).unwrap();
        receiver.recv().unwrap();
        assert_eq!(crew.threads, 2);
    }
}
