//! Trying again what failed in passing, and only that.
//!
//! Timestamp servers are down, slow or overloaded every other week, so the next one is asked, and
//! after all of them the first one again, with growing pauses, until the patience is at its end. A
//! wrong password is wrong the second time, too, and a token locks itself after the third.

use std::time::{Duration, Instant};

use anyhow::{Error, Result, anyhow};

use crate::{engine::event::Level, sign::hands::Hands};

/// The pause after the first round of servers; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// An answer of a server that takes longer is none.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(60);
/// Less than this is no attempt.
const SHORTEST_ATTEMPT: Duration = Duration::from_secs(1);

/// Why an attempt failed, and so whether another one makes sense.
#[derive(Debug)]
pub enum Trouble {
    /// It may pass: a server is down, or slow.
    Passing(String),
    /// It will not pass here, but another server may do: an answer that is worth nothing.
    Here(String),
    /// It will not pass anywhere: a wrong password, a broken file.
    Lasting(Error),
}

/// How long attempts may go on.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    until: Instant,
    total: Duration,
    /// The longest that one attempt may take.
    longest: Duration,
}

impl Patience {
    /// From now on.
    pub fn new(hands: &impl Hands, total: Duration) -> Self {
        let until = hands.now() + total;
        let longest = LONGEST_ATTEMPT;
        Self {
            until,
            total,
            longest,
        }
    }

    /// For what people have a part in, such as a touch on a token: one attempt may take longer.
    #[must_use]
    pub fn for_people(self, longest: Duration) -> Self {
        Self { longest, ..self }
    }

    fn left(&self, hands: &impl Hands) -> Duration {
        self.until.saturating_duration_since(hands.now())
    }

    /// How long one attempt may take, so that each of so many places gets its turn twice.
    fn share(&self, places: usize) -> Duration {
        let turns = u32::try_from(places * 2).unwrap_or(u32::MAX).max(1);
        (self.total / turns).clamp(SHORTEST_ATTEMPT, self.longest)
    }
}

/// Tries the places in turn, beginning with the one of that number, until one succeeds. Gives its
/// number, too. `what` begins every message: `timestamp on app.exe`.
///
/// # Errors
/// The first [`Trouble::Lasting`], or what each place said last.
pub fn attempt<T>(
    hands: &impl Hands,
    what: &str,
    places: &[String],
    first: usize,
    patience: Patience,
    mut at: impl FnMut(&str, Duration) -> Result<T, Trouble>,
) -> Result<(usize, T)> {
    let mut said = vec![String::new(); places.len()];
    let mut useless = vec![false; places.len()];
    let mut pause = FIRST_PAUSE;
    loop {
        for turn in 0..places.len() {
            let number = (first + turn) % places.len();
            let left = patience.left(hands);
            if useless[number] || left < SHORTEST_ATTEMPT {
                continue;
            }
            let place = &places[number];
            match at(place, patience.share(places.len()).min(left)) {
                Ok(done) => return Ok((number, done)),
                Err(Trouble::Lasting(error)) => return Err(error),
                Err(Trouble::Passing(why)) => said[number] = why,
                Err(Trouble::Here(why)) => {
                    useless[number] = true;
                    said[number] = why;
                }
            }
            let text = format!("{what}: {place}: {}", said[number]);
            hands.note(Level::Warning, text);
        }
        let all_useless = useless.iter().all(|it| *it);
        if all_useless || patience.left(hands) < pause + SHORTEST_ATTEMPT {
            return Err(exhausted(what, places, &said, all_useless, patience.total));
        }
        hands.pause(pause)?;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn exhausted(
    what: &str,
    places: &[String],
    said: &[String],
    all_useless: bool,
    total: Duration,
) -> Error {
    let within = match all_useless {
        true => String::new(),
        false => format!(" within {}", humantime::format_duration(total)),
    };
    let said = places.iter().zip(said);
    let said = said.map(|(place, why)| match why.is_empty() {
        true => format!("\n  {place}: not asked: the time was over"),
        false => format!("\n  {place}: {why}"),
    });
    anyhow!("{what} failed{within}:{}", said.collect::<String>())
}

/// What the output of a failed program means.
#[derive(Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A network or a server failed.
    Passing(String),
    /// The server answers, but not with a timestamp, and will not do so later.
    Refused(String),
    /// The caller is wrong: certificate, password, PIN, key, arguments.
    Lasting(&'static str),
    /// None of the known words.
    Unknown(String),
}

/// What is said of a file that the tools do not know.
pub const NO_FORMAT: &str = "this kind of file carries no such signature";
const NO_OPTION: &str = "the program does not know an option";
const DISK_FULL: &str = "the disk is full";
/// What of [`LASTING`] is wrong with this machine, whoever is asked.
pub const LOCAL: [&str; 3] = [NO_FORMAT, NO_OPTION, DISK_FULL];

/// Words that mean that nothing will be better next time, and what to say then. They go first: a
/// program that cannot read its key may complain of much else.
const LASTING: &[(&str, &str)] = &[
    (
        "wrong password",
        "the password does not open the certificate's file",
    ),
    (
        "mac verify failure",
        "the password does not open the certificate's file",
    ),
    (
        "pfx password is not correct",
        "the password does not open the certificate's file",
    ),
    (
        "network password is not correct",
        "the password does not open the certificate's file",
    ),
    (
        "pin incorrect",
        "the PIN is wrong; a token locks itself after a few wrong ones",
    ),
    (
        "pin locked",
        "the token has locked itself after too many wrong PINs",
    ),
    ("login failed", "the token refuses the login"),
    (
        "unable to load module",
        "the token's library cannot be loaded",
    ),
    (
        "no matching initialized token",
        "there is no token of that name",
    ),
    ("private key was not found", "the token has no such key"),
    (
        "failed to load private key",
        "the private key cannot be used",
    ),
    (
        "key values mismatch",
        "the private key is not the one of the certificate",
    ),
    (
        "no private key is available",
        "the certificate has no private key on this machine",
    ),
    (
        "failed to extract pkcs#12",
        "the certificate's file is no PKCS#12 file",
    ),
    (
        "failed to read pkcs#12",
        "the certificate's file cannot be read",
    ),
    (
        "failed to read key or certificates",
        "the key or its certificates cannot be read",
    ),
    (
        "no certificates were found",
        "there is no such certificate with a private key in the store",
    ),
    ("certificate has expired", "the certificate has expired"),
    ("unsupported input file type", NO_FORMAT),
    ("file format cannot be signed", NO_FORMAT),
    ("invalid option", NO_OPTION),
    ("unknown option", NO_OPTION),
    ("access is denied", "access is denied"),
    ("permission denied", "access is denied"),
    ("no space left", DISK_FULL),
    ("status code: 401", "the service refuses the credentials"),
    ("status code: 403", "the service refuses the credentials"),
    (
        "authenticationfailed",
        "the service refuses the credentials",
    ),
];

/// Words for a file that a virus scanner or an index looks into, which is over in a moment.
const HELD: &str = "another program has the file open";

/// Whether that is why a program failed.
pub fn is_held(printed: &[String]) -> bool {
    meaning(printed) == Meaning::Passing(HELD.to_owned())
}

/// Words that mean that it may be better next time.
const PASSING: &[(&str, &str)] = &[
    // Windows' ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION.
    ("used by another process", HELD),
    ("another process has locked", HELD),
    ("80070020", HELD),
    ("80070021", HELD),
    ("connection refused", "connection refused"),
    ("failed reading data", "the connection broke off"),
    ("connection reset", "the connection broke off"),
    ("unexpected eof", "the connection broke off"),
    ("broken pipe", "the connection broke off"),
    ("name resolution", "its name cannot be resolved"),
    ("name or service not known", "its name cannot be resolved"),
    ("network is unreachable", "the network is unreachable"),
    ("no route to host", "the network is unreachable"),
    // curl's and hyper's, of which older releases of osslsigncode and commands of one's own are made.
    ("could not resolve host", "its name cannot be resolved"),
    ("dns error", "its name cannot be resolved"),
    ("couldn't connect to server", "no connection"),
    ("error trying to connect", "no connection"),
    ("connect error", "no connection"),
    ("timed out", "no answer in time"),
    ("timeout", "no answer in time"),
    ("bad gateway", "bad gateway"),
    ("service unavailable", "it is not available"),
    ("too many requests", "too many requests"),
    (
        "could not be reached",
        "it cannot be reached, or answers wrongly",
    ),
    ("not enough data", "its answer is cut off"),
    // WinHTTP's, as signtool prints them: time-out, name, connection, connection broken off.
    ("80072ee2", "no answer in time"),
    ("80072ee7", "its name cannot be resolved"),
    ("80072efd", "no connection"),
    ("80072efe", "the connection broke off"),
];

/// Words of a server that is none, or does not want us.
const REFUSED: &[(&str, &str)] = &[
    (
        "unexpected content type",
        "its answer is no timestamp but a page",
    ),
    (
        "failed to convert timestamp reply",
        "its answer is no timestamp",
    ),
    ("timestamping failed", "it made no timestamp"),
];

/// Reads what a program printed before it failed.
pub fn meaning(printed: &[String]) -> Meaning {
    let text = printed.join("\n").to_lowercase();
    let find = |words: &[(&str, &'static str)]| {
        let found = words.iter().find(|(word, _)| text.contains(word));
        found.map(|(_, why)| *why)
    };
    if let Some(why) = find(LASTING) {
        return Meaning::Lasting(why);
    }
    if let Some(status) = http_status(&text) {
        let why = format!("HTTP status {status}");
        return match status {
            408 | 425 | 429 | 500.. => Meaning::Passing(why),
            _ => Meaning::Refused(why),
        };
    }
    if let Some(why) = find(PASSING) {
        return Meaning::Passing(why.to_owned());
    }
    if let Some(why) = find(REFUSED) {
        return Meaning::Refused(why.to_owned());
    }
    // signtool counts at the end.
    let says = |it: &&String| !it.trim().is_empty() && !it.starts_with("Number of ");
    let last = printed.iter().rfind(says);
    Meaning::Unknown(last.map_or("it printed nothing", |it| it.trim()).to_owned())
}

/// As OpenSSL's error stack has it: `received error:…:code=503, reason=Service Unavailable`.
fn http_status(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("code=")?;
    let digits = rest.split(|it: char| !it.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|it| (300..600).contains(it))
}

#[cfg(test)]
mod tests;
