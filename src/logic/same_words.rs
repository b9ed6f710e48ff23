//! Which errors are the same, although each names its own worker, address or file.

/// The words of an error without what differs from worker to worker.
pub(super) fn same_words(message: &str) -> String {
    let mut words = String::with_capacity(message.len());
    let mut rest = message.trim();
    while let Some(first) = rest.chars().next() {
        let length = |in_it: fn(char) -> bool| rest.find(|c| !in_it(c)).unwrap_or(rest.len());
        let (word, after) = match first {
            _ if first.is_whitespace() => rest.split_at(length(char::is_whitespace)),
            _ if is_of_word(first) => rest.split_at(length(is_of_word)),
            _ => rest.split_at(first.len_utf8()),
        };
        rest = after;
        let inside = word.trim_end_matches(['-', '.']);
        if first.is_whitespace() {
            words.push(' ');
        } else if inside.contains(char::is_numeric) {
            words.push('#');
            words.push_str(word.get(inside.len()..).unwrap_or_default());
        } else {
            words.push_str(word);
        }
    }
    words
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_worker_to_worker_is_left_out() {
        for (message, words) in [
            ("CUDA error 719 on device 3 at 0x7ffe12ab", "CUDA error # on device # at #"),
            ("no file /tmp/run-17/trial_0003/data.npz", "no file /tmp/#/#/data.npz"),
            ("loss is -1.5e-7, after 12.", "loss is #, after #."),
            ("  two\n  lines\t", "two lines"),
            ("id 6f9619ff-8b86-d011-b42d-00c04fc964ff failed", "id # failed"),
            ("conv2d: größe ½", "#: größe #"),
            ("nothing to see - here...", "nothing to see - here..."),
        ] {
            assert_eq!(same_words(message), words);
        }
    }
}
