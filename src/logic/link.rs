//! A conversation that outlives its connections: frames are numbered, kept until the other end has them, and said again when a
//! new connection is there.
//!
//! Each end numbers what it says, from 1, and tells the other end with each frame how far it has heard. What hasn't been
//! acknowledged when a connection breaks is said again over the next one; what was heard already is dropped. So each frame is heard
//! once, in order, as long as both ends live.

use std::collections::VecDeque;

/// One end's view of a conversation.
#[derive(Debug)]
pub(crate) struct Link<T> {
    /// Said and not acknowledged, in order; the first one's number is `acknowledged + 1`.
    kept: VecDeque<T>,
    acknowledged: u64,
    /// How many of those were said over the connection that is there.
    under_way: usize,
    /// The number of the last frame that was heard.
    heard: u64,
    /// What the other end was told last of `heard`.
    told: u64,
}

/// What becomes of a frame that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It is the next one.
    New,
    /// It was heard before.
    Again,
}

/// The other end says something that can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LinkError {
    /// It has left frames out.
    #[error("frame {came} came where {expected} was due")]
    Gap {
        /// The number that came.
        came: u64,
        /// The number that was due.
        expected: u64,
    },
    /// It has heard what was never said, or has forgotten what it had heard.
    #[error("the other end has heard {heard} frames, but {} to {said} can be", .acknowledged)]
    Count {
        /// What it says.
        heard: u64,
        /// What it had said before.
        acknowledged: u64,
        /// What was said to it.
        said: u64,
    },
}

impl<T> Default for Link<T> {
    fn default() -> Self {
        Self { kept: VecDeque::new(), acknowledged: 0, under_way: 0, heard: 0, told: 0 }
    }
}

impl<T> Link<T> {
    /// Says something, as soon as it can.
    pub(crate) fn say(&mut self, frame: T) {
        self.kept.push_back(frame);
    }

    /// The next frame to put on the connection, with its number and how far the other end was heard.
    pub(crate) fn next_frame(&mut self) -> Option<(u64, u64, &T)> {
        let frame = self.kept.get(self.under_way)?;
        self.under_way += 1;
        self.told = self.heard;
        Some((self.acknowledged + self.under_way as u64, self.heard, frame))
    }

    /// How far the other end was heard, if it doesn't know that yet: to be said without a frame.
    pub(crate) fn owed(&mut self) -> Option<u64> {
        (self.told < self.heard).then(|| {
            self.told = self.heard;
            self.heard
        })
    }

    /// How far the other end was heard.
    pub(crate) fn heard(&self) -> u64 {
        self.heard
    }

    /// How many frames wait for the other end's word.
    pub(crate) fn waiting(&self) -> usize {
        self.kept.len()
    }

    /// The other end has heard so many.
    ///
    /// # Errors
    /// If that can't be.
    pub(crate) fn acknowledge(&mut self, heard: u64) -> Result<(), LinkError> {
        let said = self.acknowledged + self.kept.len() as u64;
        if heard > said {
            return Err(LinkError::Count { heard, acknowledged: self.acknowledged, said });
        }
        // A word that was on its way when a later one came says nothing new.
        let news = heard.saturating_sub(self.acknowledged) as usize;
        self.kept.drain(..news);
        self.under_way = self.under_way.saturating_sub(news);
        self.acknowledged = self.acknowledged.max(heard);
        Ok(())
    }

    /// A frame has come.
    ///
    /// # Errors
    /// If others are missing before it.
    pub(crate) fn hear(&mut self, number: u64) -> Result<Heard, LinkError> {
        let expected = self.heard + 1;
        match number {
            _ if number < expected => Ok(Heard::Again),
            _ if number == expected => {
                self.heard = number;
                Ok(Heard::New)
            }
            came => Err(LinkError::Gap { came, expected }),
        }
    }

    /// There is a new connection, and the other end has heard so many. What it hasn't is said again.
    ///
    /// # Errors
    /// If that can't be: the other end isn't the one of before.
    pub(crate) fn resume(&mut self, heard: u64) -> Result<(), LinkError> {
        if heard < self.acknowledged {
            let said = self.acknowledged + self.kept.len() as u64;
            return Err(LinkError::Count { heard, acknowledged: self.acknowledged, said });
        }
        self.acknowledge(heard)?;
        self.under_way = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two ends, and what is on its way between them.
    #[derive(Default)]
    struct Talk {
        ends: [Link<u32>; 2],
        way: [VecDeque<(u64, u64, u32)>; 2],
        heard: [Vec<u32>; 2],
        said: [u32; 2],
    }

    impl Talk {
        fn say(&mut self, end: usize) {
            self.said[end] += 1;
            self.ends[end].say(self.said[end]);
        }

        fn send(&mut self, end: usize) {
            if let Some((number, ack, &frame)) = self.ends[end].next_frame() {
                self.way[end].push_back((number, ack, frame));
            }
        }

        fn arrive(&mut self, from: usize) {
            let Some((number, ack, frame)) = self.way[from].pop_front() else { return };
            let to = &mut self.ends[1 - from];
            to.acknowledge(ack).unwrap();
            if to.hear(number).unwrap() == Heard::New {
                self.heard[1 - from].push(frame);
            }
        }

        /// The connection breaks, and another one is there.
        fn cut(&mut self) {
            self.way = Default::default();
            let heard = [self.ends[0].heard(), self.ends[1].heard()];
            self.ends[0].resume(heard[1]).unwrap();
            self.ends[1].resume(heard[0]).unwrap();
        }
    }

    proptest! {
        #[test]
        fn each_frame_is_heard_once_and_in_order(script in prop::collection::vec((0..7_u8, 0..2_usize), 0..300)) {
            let mut talk = Talk::default();
            for (what, end) in script {
                match what {
                    0 | 1 => talk.say(end),
                    2 | 3 => talk.send(end),
                    4 | 5 => talk.arrive(end),
                    _ => talk.cut(),
                }
            }
            talk.cut();
            for _ in 0..700 {
                (0..2).for_each(|end| { talk.send(end); talk.arrive(end); });
            }
            for end in 0..2 {
                prop_assert_eq!(&talk.heard[1 - end], &(1..=talk.said[end]).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn what_can_not_be_is_refused() {
        let mut link: Link<u8> = Link::default();
        assert_eq!(link.hear(2), Err(LinkError::Gap { came: 2, expected: 1 }));
        assert_eq!(link.acknowledge(1), Err(LinkError::Count { heard: 1, acknowledged: 0, said: 0 }));
        link.say(7);
        link.acknowledge(1).unwrap();
        assert_eq!(link.resume(0), Err(LinkError::Count { heard: 0, acknowledged: 1, said: 1 }));
    }

    #[test]
    fn what_was_heard_is_owed_once() {
        let mut link: Link<u8> = Link::default();
        link.hear(1).unwrap();
        assert_eq!((link.owed(), link.owed()), (Some(1), None));
    }
}
