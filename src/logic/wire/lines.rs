//! Bytes as they come, cut into lines of bounded length.

/// A line that is longer than it may be. Nothing after it can be trusted to be a line's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line is longer than the {most} bytes that it may have")]
pub struct LineTooLong {
    /// The bound.
    pub most: usize,
}

/// Cuts a stream of bytes into lines, each looked through once.
#[derive(Debug)]
pub struct Lines {
    bytes: Vec<u8>,
    /// Where the next line begins.
    begin: usize,
    /// Up to where there is no line's end.
    seen: usize,
    most: usize,
}

impl Lines {
    /// Lines of at most `most` bytes, without their ends.
    pub fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), begin: 0, seen: 0, most }
    }

    /// Takes more bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.begin > 0 {
            self.bytes.drain(..self.begin);
            (self.seen, self.begin) = (self.seen - self.begin, 0);
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole line, without its end; none if it isn't there yet.
    ///
    /// # Errors
    /// If what is there is already longer than a line may be.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, LineTooLong> {
        let end = self.bytes[self.seen..].iter().position(|byte| *byte == b'\n').map(|at| self.seen + at);
        let upto = end.unwrap_or(self.bytes.len());
        if upto - self.begin > self.most {
            return Err(LineTooLong { most: self.most });
        }
        let Some(end) = end else {
            self.seen = upto;
            return Ok(None);
        };
        let begin = std::mem::replace(&mut self.begin, end + 1);
        self.seen = self.begin;
        Ok(Some(&self.bytes[begin..end]))
    }

    /// What is there of a line that has no end.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.begin..]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All lines of pieces that come one after another.
    fn lines(pieces: &[&[u8]], most: usize) -> Result<Vec<Vec<u8>>, LineTooLong> {
        let mut lines = Lines::new(most);
        let mut found = Vec::new();
        for piece in pieces {
            lines.push(piece);
            while let Some(line) = lines.next_line()? {
                found.push(line.to_vec());
            }
        }
        Ok(found)
    }

    #[test]
    fn a_line_that_is_too_long_is_noticed_before_it_ends() {
        assert_eq!(lines(&[b"abcd\n"], 4), Ok(vec![b"abcd".to_vec()]));
        assert_eq!(lines(&[b"abc", b"de"], 4), Err(LineTooLong { most: 4 }));
        assert_eq!(lines(&[b"ab\nabcde\n"], 4), Err(LineTooLong { most: 4 }));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_in_what_pieces_they_come(
            bytes in prop::collection::vec(prop_oneof![3 => Just(b'x'), 1 => Just(b'\n'), 1 => any::<u8>()], 0..200),
            cuts in prop::collection::vec(0..200_usize, 0..20),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let mut expected: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            expected.pop();
            prop_assert_eq!(lines(&pieces, 1000), Ok(expected));
        }
    }
}
