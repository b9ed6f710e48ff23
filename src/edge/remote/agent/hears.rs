//! What an agent hears from the engine, and does then.

use std::sync::{Arc, PoisonError};

use super::super::connection::Listener;
use super::super::frame::Down;
use super::life::Life;
use crate::ports::backend::Killed;

impl Listener<Down> for Arc<Life> {
    fn on_frame(&self, frame: Down) -> bool {
        match frame {
            Down::Order { lease, order } => self.order(lease, order),
            Down::Kill {} => {
                let killed = self.worker().handle.as_mut().map_or(Killed::Dead, |handle| handle.kill());
                if killed == Killed::Abandoned {
                    // It goes on until this process ends, which is soon.
                    self.ending().another = false;
                }
                if killed != Killed::Soon {
                    self.gone();
                }
            }
            Down::Ends { again } => self.ending().another = again,
            Down::Unneeded {} => {
                self.ending().another = false;
                if self.worker().handle.is_none() {
                    self.gone();
                } else if self.relay().is_lost() {
                    // Nobody goes on with its trial.
                    self.kill();
                    self.gone();
                }
            }
            Down::Counts { ask, yes } => {
                if let Some(to) = self.asks.lock().unwrap_or_else(PoisonError::into_inner).remove(&ask) {
                    // Whoever asked may have gone.
                    let _ = to.send(yes);
                }
            }
            Down::Took(took) => self.transfers.on_took(took),
            Down::Gives(gives) => self.transfers.on_gives(gives),
        }
        false
    }

    fn on_piece(&self, piece: &[u8]) {
        self.transfers.on_piece(piece);
    }
}
