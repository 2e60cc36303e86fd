//! Which arguments the stand-ins take, how they end, and on which stream they say so: as the makers'
//! pages have it, or logs where those are silent. README.md names them for each.

use std::process::Command;

use xtask_practice::tools;

use super::Desk;

#[path = "stand_ins_documented/mac.rs"]
mod mac;
#[path = "stand_ins_documented/notary.rs"]
mod notary;

/// A call, its exit code, and words that must be on standard output (`>`) or standard error (`!`).
/// Empty: both streams are.
type Row = (&'static str, i32, &'static str);

/// Whether the real program would have complained of its arguments, too.
const REFUSED: &str = "not documented";

impl Desk {
    /// Calls a stand-in by `sh`, with `prelude` before it, for each row.
    #[track_caller]
    fn table(&self, prelude: &str, rows: &[Row]) {
        let mut wrong = String::new();
        for (call, status, words) in rows {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("{prelude} {call}")]);
            shell
                .current_dir(self.path())
                .env("PATH", self.stand_ins.path().unwrap())
                .env("PKI", self.pki.folder())
                .env("TSA", self.timestamps.url());
            let output = tools::output(&mut shell).unwrap();
            let stdout = String::from_utf8_lossy(&output.stdout);
            let stderr = String::from_utf8_lossy(&output.stderr);
            let said = match words.split_at_checked(1) {
                Some((">", words)) => stdout.contains(words),
                Some(("!", words)) => stderr.contains(words),
                _ => stdout.is_empty() && stderr.is_empty(),
            };
            if output.status.code() != Some(*status) || !said {
                wrong += &format!(
                    "{call}\n  expected {status}, {words:?}; {}\n  out: {stdout}\n  err: {stderr}\n",
                    output.status
                );
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }

    /// How many calls were refused as not documented.
    fn refused(&self) -> usize {
        let all = self.stand_ins.violations();
        all.iter().filter(|it| it.contains(REFUSED)).count()
    }
}

/// Microsoft's page "SignTool": 0 is success, 1 failure, 2 a warning.
#[test]
fn slow_signtool_keeps_to_its_page() {
    let Some(desk) = Desk::new(&["osslsigncode"]) else {
        return;
    };
    // Options that are there, and take a value or none.
    desk.table(
        "",
        &[
            ("signtool /?", 0, ">Usage: signtool <command> [options]"),
            (
                "signtool sign /fd sha256 /a none.exe",
                1,
                "!File not found: none.exe",
            ),
            (
                "signtool verify /pa /all /tw /d /ph /ms /v /debug none.exe",
                1,
                "!File not found",
            ),
            ("signtool verify -pa none.exe", 1, "!File not found"),
            ("signtool verify /PA none.exe", 1, "!File not found"),
            (
                "signtool timestamp /t http://127.0.0.1:9 app.exe",
                1,
                "!An error occurred while attempting to timestamp: app.exe",
            ),
            (
                "signtool timestamp /tr http://127.0.0.1:9 /td sha256 app.exe",
                1,
                ">Number of errors: 1",
            ),
            (
                "signtool verify /pa app.exe",
                1,
                "!SignTool Error: No signature found.",
            ),
            (
                "signtool verify /pa app.exe",
                1,
                ">Index  Algorithm  Timestamp",
            ),
            (
                "signtool verify /pa /q app.exe",
                1,
                "!SignTool Error: No signature found.",
            ),
            (
                "signtool sign /a app.exe",
                1,
                "!SignTool Error: No file digest algorithm specified.",
            ),
            (
                "signtool sign /fd sha256 /a /tr $TSA app.exe",
                1,
                "!No timestamp digest algorithm specified.",
            ),
            (
                "signtool timestamp /tr $TSA app.exe",
                1,
                "!No timestamp digest algorithm specified.",
            ),
            // Of several certificates it takes none by itself.
            (
                "signtool sign /fd sha256 app.exe",
                1,
                "!SignTool Error: Multiple certificates were found",
            ),
            (
                "signtool sign /fd sha256 /sha1 00 app.exe",
                1,
                "!No certificates were found that met all the given criteria.",
            ),
            (
                "signtool sign /fd sha256 /a /sm app.exe",
                1,
                "!No certificates were found",
            ),
            (
                "signtool sign /fd sha256 /f none.pfx app.exe",
                1,
                "!SignTool Error: File not found: none.pfx",
            ),
            // Without its timestamp the file is signed, which is a warning.
            (
                "signtool sign /fd certHash /a /tr http://127.0.0.1:9 /td sha256 app.exe",
                2,
                "!SignTool Warning: Signing succeeded, but an error occurred",
            ),
            (
                "signtool verify /pa app.exe",
                0,
                ">Successfully verified: app.exe",
            ),
            ("signtool verify /pa /q app.exe", 0, ""),
            (
                "signtool verify /pa /tw app.exe",
                2,
                ">Number of warnings: 1",
            ),
            (
                "signtool verify /pa app.exe none.exe",
                1,
                ">Successfully verified: app.exe",
            ),
            (
                "signtool sign /fd sha256 /n 'practice publisher' /a /q app.exe",
                0,
                "",
            ),
        ],
    );
    assert_eq!(desk.refused(), 0, "{:?}", desk.stand_ins.violations());
    let refused: &[Row] = &[
        ("signtool", 1, "!A required parameter is missing."),
        ("signtool resign app.exe", 1, "!Invalid command: resign"),
        (
            "signtool sign /fd sha256 /a",
            1,
            "!SignTool Error: Missing filename.",
        ),
        ("signtool sign /fd", 1, "!/fd requires a parameter."),
        (
            "signtool sign /pa app.exe",
            1,
            "!SignTool Error: Invalid option: /pa",
        ),
        (
            "signtool verify /fd sha256 app.exe",
            1,
            "!Invalid option: /fd",
        ),
        (
            "signtool timestamp /fd sha256 app.exe",
            1,
            "!Invalid option: /fd",
        ),
        (
            "signtool timestamp app.exe",
            1,
            "!Either /t or /tr is required.",
        ),
        (
            "signtool sign /fd sha256 /a /t $TSA /tr $TSA /td sha256 app.exe",
            1,
            "!incompatible",
        ),
    ];
    desk.table("", refused);
    assert_eq!(desk.refused(), refused.len());
}
