//! Numbers and agents from files: what `apply` would do, line by line.

use std::{path::Path, process::Output};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{customer::NUMBER, daemon::Daemon, import::write};

const DESK: &str = "+12125550143";

impl Daemon {
    /// Imports a text as a file of that name: what is printed, and how it ended.
    async fn bring(&self, folder: &Path, args: &str, name: &str, text: &str) -> (Value, Output) {
        let file = write(folder, name, text);
        let args: Vec<&str> = args.split(' ').chain([file.as_str()]).collect();
        self.import(&args).await
    }

    async fn export(&self) -> Value {
        self.ask(Method::GET, "/switchback/v1/export?format=json", Value::Null).await
    }

    async fn revisions(&self) -> usize {
        let list = self.ask(Method::GET, "/switchback/v1/revisions?limit=100", Value::Null).await;
        list["data"].as_array().unwrap().len()
    }
}

/// How many lines were created, updated, left and rejected.
#[track_caller]
fn came(answer: &Value, expected: [u64; 4]) {
    let keys = ["created", "updated", "unchanged", "rejected"];
    let counts = keys.map(|key| answer[key].as_u64().unwrap_or(u64::MAX));
    assert_eq!(counts, expected, "{keys:?} of {answer:#}");
}

fn lines(answer: &Value) -> Vec<u64> {
    let errors = answer["errors"].as_array().unwrap();
    errors.iter().map(|error| error["line"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn numbers_come_from_files_and_bad_lines_stop_no_other() {
    let daemon = Daemon::start();
    let folder = tempfile::tempdir().unwrap();
    let csv = format!(
        "e164,account,friendly_name,passthrough\n\
         {NUMBER},main,Front desk,\n\
         +1 (415) 555-2671,,,\n\
         {DESK},,Second,say:Nobody is here.\n\
         +14155550111,nowhere,,\n\
         +14155550112,,,agent:Nobody\n\
         {NUMBER},main,Again,\n\
         +14155550113,,,\n"
    );
    let (dry, done) = daemon.bring(folder.path(), "numbers --dry-run", "numbers.csv", &csv).await;
    came(&dry, [3, 0, 0, 4]);
    assert_eq!((done.status.code(), daemon.revisions().await), (Some(1), 0), "nothing was kept");

    let (first, done) = daemon.bring(folder.path(), "numbers", "numbers.csv", &csv).await;
    came(&first, [3, 0, 0, 4]);
    assert_eq!(done.status.code(), Some(1), "lines were rejected");
    assert_eq!(lines(&first), [3, 5, 6, 7]);
    let error = |nth: usize| first["errors"][nth]["error"].as_str().unwrap().to_owned();
    assert_eq!(error(0), "e164: Must be an E.164 number; write +14155552671 for this one.");
    assert!(error(2).contains("There is no agent named Nobody."), "{}", error(2));
    assert_eq!(error(3), "is the same as line 2");
    let there = daemon.export().await;
    let there = there["numbers"].as_array().unwrap();
    let named = |e164: &str| there.iter().find(|number| number["e164"] == e164).unwrap();
    assert_eq!((there.len(), &named(NUMBER)["account"]), (3, &json!("main")));
    assert_eq!(named(DESK)["passthrough"], "say:Nobody is here.");

    // Some thousands, in several documents, one line of them wrong.
    let revisions = daemon.revisions().await;
    let number =
        |n: u32| format!("{{\"e164\":\"+1415600{n:04}\",\"friendly_name\":\"No. {n}\"}}\n");
    let many: String = (0..2000).map(number).collect::<String>() + "{\"e146\":\"+14155550114\"}\n";
    let (all, _) = daemon.bring(folder.path(), "numbers", "many.ndjson", &many).await;
    came(&all, [2000, 0, 0, 1]);
    assert_eq!(lines(&all), [2001]);
    let said = all["errors"][0]["error"].as_str().unwrap();
    assert!(said.contains("did you mean `e164`"), "{said}");
    assert_eq!(daemon.revisions().await, revisions + 4, "a revision a document");
    let many = many.lines().take(2000).collect::<Vec<_>>().join("\n").replace("No. 7\"", "Seven\"");
    let (again, done) = daemon.bring(folder.path(), "numbers", "many.ndjson", &many).await;
    came(&again, [0, 1, 1999, 0]);
    assert_eq!(done.status.code(), Some(0));
    let (same, _) = daemon.bring(folder.path(), "numbers", "many.ndjson", &many).await;
    came(&same, [0, 0, 2000, 0]);
    assert_eq!(daemon.revisions().await, revisions + 5, "what is there already is not written");

    let heading = "e164,frendly_name\n";
    let (_, refused) = daemon.bring(folder.path(), "numbers", "wrong.csv", heading).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("wrong.csv:1:") && said.contains("`friendly_name`"), "{said}");
}

#[tokio::test]
async fn agents_of_a_file_name_each_other_in_any_order() {
    let daemon = Daemon::start();
    let folder = tempfile::tempdir().unwrap();
    // Six hundred campaigns: more than one document. Who names them all stands before them.
    let sources: Vec<String> = (0..600).map(|n| format!("Campaign {n}")).collect();
    let mut csv = format!(
        "name,direction,state,numbers,targets,sources,window_days,persona\n\
         Front,inbound,,,agent:Call desk; say:Please call later.,,,\n\
         Call desk,inbound,,{NUMBER} {DESK},busy,{};Drafted,30,Calm\n\
         Lost,inbound,,,busy,Nobody,,\n\
         Sideways,across,,,busy,,,\n\
         Drafted,outbound,draft,{DESK},,,,\n",
        sources.join(";")
    );
    for (nth, name) in sources.iter().enumerate() {
        let number = if nth == 0 { NUMBER } else { "" };
        csv += &format!("{name},outbound,,{number},,,,\n");
    }
    let (dry, _) = daemon.bring(folder.path(), "agents --dry-run", "agents.csv", &csv).await;
    came(&dry, [603, 0, 0, 2]);
    assert_eq!((daemon.revisions().await, &dry["dry_run"]), (0, &json!(true)));

    let (first, done) = daemon.bring(folder.path(), "agents", "agents.csv", &csv).await;
    came(&first, [603, 0, 0, 2]);
    assert_eq!((done.status.code(), lines(&first)), (Some(1), vec![4, 5]));
    let error = |nth: usize| first["errors"][nth]["error"].as_str().unwrap().to_owned();
    assert_eq!(error(0), "sources[0]: There is no agent named Nobody.");
    assert_eq!(error(1), "direction: Must be one of inbound, outbound.");
    assert_eq!(first["besides"], 2, "the numbers that they name");
    let there = daemon.export().await;
    let agent = |name: &str| {
        let agents = there["agents"].as_array().unwrap();
        agents.iter().find(|agent| agent["name"] == name).cloned().unwrap_or_default()
    };
    let desk = agent("Call desk");
    assert_eq!(desk["sources"].as_array().unwrap().len(), 601);
    assert_eq!((&desk["window_days"], &desk["persona"]), (&json!(30), &json!("Calm")));
    assert_eq!(agent("Front")["targets"], json!(["agent:Call desk", "say:Please call later."]));
    assert_eq!(agent("Drafted")["state"], "draft");

    let revisions = daemon.revisions().await;
    let good: String = csv
        .lines()
        .filter(|line| !line.starts_with("Lost") && !line.starts_with("Sideways"))
        .map(|line| format!("{line}\n"))
        .collect();
    for args in ["agents --dry-run", "agents"] {
        let (again, done) = daemon.bring(folder.path(), args, "agents.csv", &good).await;
        // The draft is listed as a source already, so it may stay what it is.
        came(&again, [0, 0, 603, 0]);
        assert_eq!(done.status.code(), Some(0));
    }
    assert_eq!(daemon.revisions().await, revisions, "nothing was changed");

    // What was exported, a line an agent.
    let exported = there["agents"].as_array().unwrap();
    let exported: String = exported.iter().map(|agent| format!("{agent}\n")).collect();
    let (same, _) = daemon.bring(folder.path(), "agents", "agents.ndjson", &exported).await;
    came(&same, [0, 0, 603, 0]);
    let window = exported.replace("\"window_days\":30", "\"window_days\":14");
    let (changed, _) = daemon.bring(folder.path(), "agents", "agents.ndjson", &window).await;
    came(&changed, [0, 1, 602, 0]);
    assert_eq!(daemon.revisions().await, revisions + 1);
}
