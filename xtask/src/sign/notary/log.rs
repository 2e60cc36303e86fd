//! Apple's log of a submission, for people.

use serde_json::Value;

use crate::report;

/// Its summary, and a table of the files in which Apple found something.
pub fn table(log: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let summary = format!("{}: {}", text(&log["status"]), text(&log["statusSummary"]));
    let issues = log["issues"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if issues.is_empty() {
        return format!("{summary}\n");
    }
    let row = |issue: &Value| {
        let mut path = text(&issue["path"]);
        if let Some(architecture) = issue["architecture"].as_str() {
            path = format!("{path} ({architecture})");
        }
        vec![path, text(&issue["severity"]), text(&issue["message"])]
    };
    let mut rows: Vec<_> = issues.iter().map(row).collect();
    // What keeps it from being accepted first.
    rows.sort_by_key(|it| it[1] != "error");
    format!(
        "{summary}\n\n{}",
        report::table(&["file", "severity", "message"], &rows)
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_log_is_a_table() {
        let issue = |severity: &str, path: &str, message: &str, architecture: Option<&str>| json!({ "severity": severity, "path": path, "message": message, "architecture": architecture });
        let log = json!({
            "status": "Invalid",
            "statusSummary": "Archive contains critical validation errors",
            "issues": [
                issue("warning", "A.zip/A.app", "Something odd.", None),
                issue("error", "A.zip/A.app/Contents/MacOS/a", "The signature does not include a secure timestamp.", Some("arm64")),
            ],
        });
        expect![[r#"
            Invalid: Archive contains critical validation errors

            file                                  severity  message
            A.zip/A.app/Contents/MacOS/a (arm64)  error     The signature does not include a secure timestamp.
            A.zip/A.app                           warning   Something odd.
        "#]]
        .assert_eq(&table(&log));
        let good = json!({ "status": "Accepted", "statusSummary": "Ready for distribution", "issues": null });
        assert_eq!(table(&good), "Accepted: Ready for distribution\n");
    }
}
