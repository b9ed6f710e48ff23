//! Carries requests out on a thread of its own, so that whoever waits for them may be any thread, async or not.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A small runtime, with a network and a clock, on its own thread. Dropped, it ends.
#[derive(Debug)]
pub(super) struct Driver {
    jobs: Option<UnboundedSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// An answer that is on its way.
pub(super) struct Answer<T>(Receiver<T>);

impl<T> Answer<T> {
    /// Blocks this thread until it is there.
    pub(super) fn wait(self) -> io::Result<T> {
        self.0
            .recv()
            .map_err(|_| io::Error::other("the request was given up: the store's thread ended, or it panicked"))
    }
}

impl Driver {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (jobs, mut inbox) = unbounded_channel::<Job>();
        let thread = std::thread::Builder::new().name("tryout-store".to_owned()).spawn(move || {
            runtime.block_on(async move {
                while let Some(job) = inbox.recv().await {
                    tokio::spawn(job);
                }
            });
        })?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Begins `work`; any number of them are under way at once.
    pub(super) fn begin<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Answer<T> {
        let (sender, answer) = sync_channel(1);
        if let Some(jobs) = &self.jobs {
            // A thread that is gone is told to whoever waits for the answer, and nobody else wants it.
            let _ = jobs.send(Box::pin(async move {
                let _ = sender.send(work.await);
            }));
        }
        Answer(answer)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the store's thread panicked");
        }
    }
}
