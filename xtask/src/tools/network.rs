//! How libraries that programs are made of say that there was no way to a server: curl, hyper, OpenSSL
//! and the C library. It may pass.

/// In lower case.
const WORDS: [&str; 9] = [
    "could not resolve host",
    "couldn't connect to server",
    "connection refused",
    "connection reset",
    "error trying to connect",
    "dns error",
    "network is unreachable",
    "no route to host",
    "timed out",
];

/// Whether what a program printed speaks of that.
pub fn failed(printed: &[String]) -> bool {
    printed.iter().any(|line| {
        let line = line.to_lowercase();
        WORDS.iter().any(|it| line.contains(it))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{codesign, notarytool, rcodesign};

    /// Each tool for macOS asks a server, of timestamps or Apple's.
    #[test]
    fn a_network_that_fails_may_mend() {
        let check = |line: &str, expected: bool| {
            let printed = ["signing".to_owned(), line.to_owned()];
            let all = [
                rcodesign::is_transient(&printed),
                codesign::is_transient(&printed),
                notarytool::is_transient(&printed),
            ];
            assert_eq!(all, [expected; 3], "{line}");
        };
        for line in [
            "curl: (7) Couldn't connect to server",
            "curl: (6) Could not resolve host: timestamp.example",
            "Error: tcp connect error: Connection refused (os error 111)",
            "Error: error trying to connect: dns error: failed to lookup address information",
        ] {
            check(line, true);
        }
        check("Error: the certificate has expired", false);
        check("Error: the host refused", false);
    }
}
