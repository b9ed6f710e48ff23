//! The floor: messages between threads and one actor, there and back, with no engine.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use actix::{Actor, Context, Handler, Message};

/// From a thread: its number.
struct Ping(usize);

impl Message for Ping {
    type Result = ();
}

/// Answers every thread.
struct Hub {
    threads: Vec<Sender<()>>,
    left: u64,
}

impl Actor for Hub {
    type Context = Context<Self>;
}

impl Handler<Ping> for Hub {
    type Result = ();

    fn handle(&mut self, Ping(thread): Ping, _: &mut Context<Self>) {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            // A thread that has ended needs no answer.
            let _ = self.threads[thread].send(());
        } else {
            self.threads.clear();
            actix::System::current().stop();
        }
    }
}

/// How many round trips per second `threads` threads and one actor make together.
pub(crate) fn round_trips_per_second(threads: u32, round_trips: u64) -> f64 {
    let (senders, receivers): (Vec<Sender<()>>, Vec<Receiver<()>>) = (0..threads).map(|_| channel()).unzip();
    let system = actix::System::new();
    let hub = system.block_on(async { Hub { threads: senders, left: round_trips }.start() });
    let began = Instant::now();
    for (thread, answers) in receivers.into_iter().enumerate() {
        let hub = hub.clone().recipient::<Ping>();
        std::thread::spawn(move || {
            hub.do_send(Ping(thread));
            while answers.recv().is_ok() {
                hub.do_send(Ping(thread));
            }
        });
    }
    system.run().expect("the system runs to its stop");
    round_trips as f64 / began.elapsed().as_secs_f64()
}
