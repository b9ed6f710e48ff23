//! The file of hosts: lines, and the slots that they make.

/// Room for one worker.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slot {
    pub(super) host: String,
    pub(super) gpus: Vec<u32>,
    pub(super) variables: Vec<(String, String)>,
    /// The job in it, by its id.
    pub(super) job: Option<Taken>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Taken {
    pub(super) id: String,
    pub(super) name: String,
}

/// The slots of all lines.
pub(super) fn slots(hosts: &str) -> Result<Vec<Slot>, String> {
    let mut slots = Vec::new();
    for (at, line) in hosts.lines().enumerate() {
        let line = line.split('#').next().unwrap_or(line).trim();
        if !line.is_empty() {
            slots.extend(slots_of(line).map_err(|error| format!("line {}: {error}", at + 1))?);
        }
    }
    if slots.is_empty() {
        return Err("there is no host in it".to_owned());
    }
    Ok(slots)
}

fn slots_of(line: &str) -> Result<Vec<Slot>, String> {
    let mut words = line.split_whitespace();
    let host = words.next().unwrap_or(line).to_owned();
    if host.starts_with('-') {
        return Err(format!("`{host}` isn't a host"));
    }
    let (mut count, mut gpus, mut variables) = (1_usize, Vec::new(), Vec::new());
    for word in words {
        let (name, value) = word.split_once('=').ok_or_else(|| format!("`{word}` isn't NAME=VALUE"))?;
        match name {
            "slots" => count = value.parse().map_err(|_| format!("`{value}` isn't a number of slots"))?,
            "gpus" => {
                let all = value.split(',').map(|gpu| gpu.parse().map_err(|_| format!("`{gpu}` isn't a GPU's index")));
                gpus = all.collect::<Result<Vec<u32>, String>>()?;
            }
            _ if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && !name.is_empty() => {
                variables.push((name.to_owned(), value.to_owned()));
            }
            _ => return Err(format!("`{name}` isn't the name of a variable")),
        }
    }
    if count == 0 || count > 10_000 {
        return Err("slots are from 1 to 10,000".to_owned());
    }
    // Each slot has its part of the GPUs; what is left over, the first ones have.
    let part = |at: usize| gpus.iter().copied().skip(at).step_by(count).collect();
    let slot = |at| Slot { host: host.clone(), gpus: part(at), variables: variables.clone(), job: None };
    Ok((0..count).map(slot).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_hosts_is_read() {
        let all = slots("# mine\ngpu1 slots=2 gpus=0,1,2\n\nme@cpu2 X=1 # the old one\n").expect("it is well-formed");
        let found: Vec<_> = all.iter().map(|slot| (slot.host.as_str(), slot.gpus.clone())).collect();
        assert_eq!(found, [("gpu1", vec![0, 2]), ("gpu1", vec![1]), ("me@cpu2", vec![])]);
        assert_eq!(all[2].variables, [("X".to_owned(), "1".to_owned())]);
        for (text, why) in [
            ("", "there is no host in it"),
            ("\na slots=x", "line 2: `x` isn't a number of slots"),
            ("-oProxyCommand=id", "line 1: `-oProxyCommand=id` isn't a host"),
            ("a b;c=1", "line 1: `b;c` isn't the name of a variable"),
            ("a word", "line 1: `word` isn't NAME=VALUE"),
        ] {
            assert_eq!(slots(text).expect_err(text), why);
        }
    }
}
