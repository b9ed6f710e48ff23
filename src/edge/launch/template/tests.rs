//! Templates against a queue that is a folder, and what is wrong with some.

use std::fs;
use std::sync::Arc;

use super::*;
use crate::logic::pool::{ResourceRequest, Resources};

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn job(command: &[&str]) -> LaunchJob {
    let shape = Resources::cpus(2).with("memory", 3e6);
    LaunchJob {
        name: "tryout-3fa01-4".to_owned(),
        number: 4,
        shape: Arc::new(ResourceRequest::single(shape).expect("it asks for something")),
        workers: 1,
        command: command.iter().map(Into::into).collect(),
        directory: Some("/a b".into()),
    }
}

fn queue() -> Template {
    Template {
        name: "queue".to_owned(),
        submit: words(&[
            "q",
            "sub",
            "--mem={memory}",
            "--gpus={gpus}",
            "-o",
            "{output}",
            "{command}",
            "sh -c {command}",
        ]),
        list: words(&["q", "stat", "{prefix}"]),
        line: r"(?<id>\d+) (?<name>\S+) (?<state>\w)(?<says>.*)".to_owned(),
        waiting: words(&["Q"]),
        running: words(&["R"]),
        cancel: words(&["q", "del", "{ids}"]),
        ..Template::default()
    }
}

fn launcher(template: Template) -> CommandLauncher {
    CommandLauncher::new(template).expect("it is well-formed")
}

#[test]
fn values_stand_where_their_names_stood() {
    let dry = launcher(queue()).dry_run(&job(&["agent", "it's"]));
    let expected = r"q sub --mem=3 -o '/a b/tryout-3fa01-4.out' agent 'it'\''s' 'sh -c agent '\''it'\''\'\'''\''s'\'''";
    assert_eq!(dry.trim_end(), expected);
    let script = "#!/bin/sh\n#Q -l mem={memory}\n#Q -l gpus={gpus}\necho ${HOME} {\"a\": 1} {output}\n{script}";
    let dry = launcher(Template { script: Some(script.to_owned()), ..queue() }).dry_run(&job(&["agent", "$(id)"]));
    let expected =
        "#!/bin/sh\n#Q -l mem=3\necho ${HOME} {\"a\": 1} '/a b/tryout-3fa01-4.out'\nexec agent '$(id)'\nTRYOUT\n";
    assert!(dry.ends_with(expected), "{dry}");
}

#[test]
fn what_is_wrong_is_said() {
    let wrong = |template| CommandLauncher::new(template).expect_err("it is wrong");
    assert_eq!(
        wrong(Template { submit: Vec::new(), ..queue() }),
        "`submit` is empty: it is a command with its arguments"
    );
    let named = Template { list: words(&["q", "{name}"]), ..queue() };
    assert_eq!(wrong(named), "`list` names {name}, which isn't known there");
    assert!(wrong(Template { line: "(?<id>.)".to_owned(), ..queue() }).contains("no group `state`"));
    assert!(wrong(Template { line: "(".to_owned(), ..queue() }).contains("isn't a pattern"));
    assert_eq!(wrong(Template { cancel: words(&["q"]), ..queue() }), "`cancel` names neither {id} nor {ids}");
    let join = Template { submit: words(&["q", "{join}"]), ..queue() };
    assert_eq!(launcher(join).check(), Err("the template names {join}, and there is no join file".to_owned()));
}

#[test]
fn a_queue_is_asked() {
    let dir = tempfile::tempdir().expect("there is a place");
    let at = |script: &str| words(&["sh", "-c", &format!("cd '{}' && {script}", dir.path().display()), "q"]);
    let submit = at(
        r#"[ "$1" != bad ] || { echo "no such queue" >&2; exit 1; }; echo "7 $1 R fine" > 7; echo "Job <7> is in the queue""#,
    );
    let template = Template {
        submit: submit.into_iter().chain(words(&["{name}"])).collect(),
        id: Some(r"<(\d+)>".to_owned()),
        list: at("cat * /dev/null"),
        cancel: at(r#"rm "$1""#).into_iter().chain(words(&["{id}"])).collect(),
        refused: Some("no such queue".to_owned()),
        ..queue()
    };
    let mut queue = launcher(template);
    assert_eq!(queue.check(), Err("cat: '*': No such file or directory".to_owned()));
    assert_eq!(queue.submit(&job(&["agent"])), Ok("7".to_owned()));
    let listed = queue.list("tryout-3fa01-").expect("there is one");
    assert_eq!((listed[0].id.as_str(), listed[0].state, listed[0].says.as_str()), ("7", LaunchState::Running, "fine"));
    assert_eq!(queue.list("tryout-3fa02-"), Ok(Vec::new()));
    assert_eq!(queue.cancel(&["7".to_owned()]), Ok(()));
    assert!(!fs::exists(dir.path().join("7")).expect("it can be looked at"));
    assert!(matches!(queue.cancel(&["7".to_owned()]), Err(LaunchError::Unavailable(_))));
    let bad = LaunchJob { name: "bad".to_owned(), ..job(&["agent"]) };
    assert_eq!(queue.submit(&bad), Err(LaunchError::Refused("no such queue".to_owned())));
}
