//! `switchback apply`, `export`, `replay` and `revisions`, as somebody types them.

use std::fs;

use crate::{
    daemon::Daemon,
    stage::{CALLER, complete, ring, sid},
};

const N: &str = "+14155550100";

#[tokio::test]
async fn one_file_is_planned_applied_replayed_and_taken_back() {
    let daemon = Daemon::start();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/example.yaml");
    let (code, plan, said) = daemon.command(&["apply", "-f", example, "--plan"]).await;
    assert_eq!(code, 0, "{said}");
    for line in ["+ agent Call desk", "+ number +14155550100", "3 changes planned"] {
        assert!(plan.contains(line), "{line}: {plan}");
    }
    assert!(!plan.contains('\u{1b}'), "no colour where nobody watches");
    let (code, applied, said) = daemon.command(&["apply", "-f", example]).await;
    assert_eq!(code, 0, "{said}");
    assert!(applied.contains("3 changes, revision "), "{applied}");
    let (code, again, _) = daemon.command(&["apply", "-f", example, "--plan"]).await;
    assert_eq!((code, again.as_str()), (0, "no changes\n"));

    // What is exported changes nothing, in either format.
    for format in ["yaml", "json"] {
        let (code, text, said) = daemon.command(&["export", "--format", format]).await;
        assert_eq!(code, 0, "{said}");
        assert!(text.contains("Call desk"), "{text}");
        let exported = file(&format!("exported.{format}"), &text);
        let (code, same, said) = daemon.command(&["apply", "-f", &exported, "--prune"]).await;
        assert_eq!((code, same.as_str()), (0, "no changes\n"), "{text} {said}");
    }

    ring(&daemon, &sid(1), CALLER, N).await;
    complete(&daemon, &sid(1), CALLER, N).await;
    let change = file("change.yaml", "agents: [{name: Call desk, targets: ['say:We moved.']}]");
    let (code, replayed, said) = loop {
        let got = daemon.command(&["replay", "--change", &change, "--since", "1h"]).await;
        // The call's row is written behind its webhook.
        if !got.1.contains("0 of 0 calls") {
            break got;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(code, 0, "{said}");
    assert!(replayed.contains("1 of 1 calls would go elsewhere"), "{replayed}");
    assert!(replayed.contains("note: "), "{replayed}");

    let wrong = file("wrong.yaml", "agents:\n  - nam: Desk\n");
    let (code, _, said) = daemon.command(&["apply", "-f", &wrong]).await;
    assert_eq!(code, 1);
    assert!(said.contains("agents[0].nam") && said.contains("line 2, column 10"), "{said}");
    let (code, ..) = daemon.command(&["apply", "-f", "/no/such/file"]).await;
    assert_eq!(code, 2);

    let (code, changed, said) = daemon.command(&["apply", "-f", &change]).await;
    assert_eq!(code, 0, "{said}");
    assert!(changed.contains("    + targets: [\"say:We moved.\"]"), "{changed}");
    let (_, shown, _) = daemon.command(&["revisions", "show", "last"]).await;
    assert!(shown.contains("~ agent Call desk"), "{shown}");
    let back = ["revisions", "rollback", "last", "--before"];
    let (code, undone, said) = daemon.command(&back).await;
    assert_eq!(code, 0, "{said}");
    assert!(undone.contains("    - targets: [\"say:We moved.\"]"), "{undone}");
    let (_, same, _) = daemon.command(&["apply", "-f", example, "--plan"]).await;
    assert_eq!(same, "no changes\n");
    let (_, listed, _) = daemon.command(&["revisions"]).await;
    assert_eq!(listed.lines().count(), 4, "{listed}");
}
