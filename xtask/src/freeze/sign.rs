//! Signs in a freezer's output: words that give away what went wrong.

use super::class::Class;
use crate::{
    config::Freezer,
    tools::{nuitka, pyinstaller},
};

/// Words in what a freezer printed that give away what went wrong.
pub struct Sign {
    /// Part of a line, in lower case.
    pub words: &'static str,
    /// What they say.
    pub means: Meaning,
}

/// What a [`Sign`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Another freezer may manage.
    Class(Class),
    /// Something was not downloaded. Whether that was refused, or failed, the words do not tell: what
    /// the freezer was allowed does.
    NotDownloaded,
    /// The configuration asks for what cannot be had: another freezer would only hide it.
    Configuration,
    /// There is no room, for no freezer.
    DiskFull,
}

/// A sign of a class of failures.
pub const fn class(words: &'static str, class: Class) -> Sign {
    let means = Meaning::Class(class);
    Sign { words, means }
}

/// A sign of a mistake in the configuration.
pub const fn configuration(words: &'static str) -> Sign {
    let means = Meaning::Configuration;
    Sign { words, means }
}

/// A sign that something was not downloaded, for whatever reason.
pub const fn not_downloaded(words: &'static str) -> Sign {
    let means = Meaning::NotDownloaded;
    Sign { words, means }
}

const fn disk_full(words: &'static str) -> Sign {
    let means = Meaning::DiskFull;
    Sign { words, means }
}

/// What the system and the interpreter say, whichever freezer runs. First of all: what else goes
/// wrong then only follows from it.
const SYSTEM: [Sign; 7] = [
    // strerror of ENOSPC and EDQUOT; Windows' ERROR_DISK_FULL.
    disk_full("no space left on device"),
    disk_full("disk quota exceeded"),
    disk_full("not enough space on the disk"),
    // strerror of ENOMEM; Python; C++; "Killed" is what shells and make say.
    class("cannot allocate memory", Class::OutOfMemory),
    class("memoryerror", Class::OutOfMemory),
    class("std::bad_alloc", Class::OutOfMemory),
    class("error -9", Class::OutOfMemory),
];

/// What the compilers and linkers that Nuitka starts say. What is missing or too small comes before
/// what they refuse.
const TOOLCHAIN: [Sign; 17] = [
    // gcc 4 to 14: its own allocations, the driver about a child that the system killed, and the
    // older words for the latter. Binutils; clang; MSVC's C1060 and C1002.
    class("out of memory allocating", Class::OutOfMemory),
    class("killed signal terminated program", Class::OutOfMemory),
    class("internal compiler error: killed", Class::OutOfMemory),
    class("memory exhausted", Class::OutOfMemory),
    class("llvm error: out of memory", Class::OutOfMemory),
    class("out of heap space", Class::OutOfMemory),
    // gcc without its parts, a compiler without Python's headers, as gcc and as clang say it, a shell
    // without a program, macOS without its command line tools.
    class("cannot execute", Class::MissingTool),
    class("fatal error: cannot find", Class::MissingTool),
    class("python.h: no such file", Class::MissingTool),
    class("'python.h' file not found", Class::MissingTool),
    class(
        "xcrun: error: invalid active developer path",
        Class::MissingTool,
    ),
    class(": not found", Class::MissingTool),
    // gcc and clang; MSVC; linkers; Nuitka, when a program printed nothing.
    class(" error: ", Class::CompileError),
    class(": error c", Class::CompileError),
    class("undefined reference", Class::CompileError),
    class("cannot find -l", Class::CompileError),
    class("failed unexpectedly in scons", Class::CompileError),
];

/// The gravest sign in what a freezer printed, and the lines that show it.
pub fn find(freezer: Freezer, printed: &[String]) -> Option<(Meaning, Vec<String>)> {
    first_of(known(freezer), printed)
}

/// All signs, the gravest first.
fn known(freezer: Freezer) -> impl Iterator<Item = &'static Sign> {
    let (own, toolchain): (&[Sign], &[Sign]) = match freezer {
        Freezer::Nuitka => (&nuitka::SIGNS, &TOOLCHAIN),
        Freezer::Pyinstaller => (&pyinstaller::SIGNS, &[]),
    };
    SYSTEM.iter().chain(own).chain(toolchain)
}

fn first_of<'s>(
    mut signs: impl Iterator<Item = &'s Sign>,
    printed: &[String],
) -> Option<(Meaning, Vec<String>)> {
    let lower: Vec<String> = printed.iter().map(|it| it.to_lowercase()).collect();
    signs.find_map(|sign| {
        let mut shown: Vec<String> = (lower.iter().zip(printed))
            .filter(|(it, _)| it.contains(sign.words))
            .map(|(_, line)| line.clone())
            .collect();
        if shown.is_empty() {
            return None;
        }
        // What it made of that, unless it only says that something failed.
        let is_more = |it: &&String| {
            it.contains("FATAL") && !it.contains("Failed unexpectedly") && !shown.contains(it)
        };
        let fatal: Vec<String> = printed.iter().filter(is_more).cloned().collect();
        shown.extend(fatal);
        Some((sign.means, shown))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Freezer::{Nuitka, Pyinstaller};

    const MEMORY: Meaning = Meaning::Class(Class::OutOfMemory);
    const TOOL: Meaning = Meaning::Class(Class::MissingTool);
    const COMPILE: Meaning = Meaning::Class(Class::CompileError);
    const NETWORK: Meaning = Meaning::Class(Class::Network);
    const DOWNLOAD: Meaning = Meaning::Class(Class::Download);
    const CONFIGURATION: Meaning = Meaning::Configuration;
    const DISK: Meaning = Meaning::DiskFull;

    /// Lines as the tools print them, most of which cannot be provoked on one machine: other
    /// compilers, other systems.
    const SAMPLES: [(Freezer, Meaning, &str); 47] = [
        (
            Nuitka,
            DISK,
            "a.c:1: fatal error: closing a.o: No space left on device",
        ),
        (Nuitka, DISK, "ld: final link failed: Disk quota exceeded"),
        (
            Nuitka,
            DISK,
            "a.c: fatal error C1085: There is not enough space on the disk.",
        ),
        (
            Nuitka,
            MEMORY,
            "gcc: fatal error: fork: Cannot allocate memory",
        ),
        (Nuitka, MEMORY, "MemoryError"),
        (
            Nuitka,
            MEMORY,
            "terminate called after throwing an instance of 'std::bad_alloc'",
        ),
        (Nuitka, MEMORY, "scons: *** [module.a.o] Error -9"),
        (Pyinstaller, MEMORY, "MemoryError"),
        (
            Nuitka,
            MEMORY,
            "cc1: out of memory allocating 65536 bytes after a total of 0 bytes",
        ),
        (
            Nuitka,
            MEMORY,
            "gcc: fatal error: Killed signal terminated program cc1",
        ),
        (
            Nuitka,
            MEMORY,
            "gcc: internal compiler error: Killed (program cc1)",
        ),
        (
            Nuitka,
            MEMORY,
            "/usr/bin/ld: final link failed: memory exhausted",
        ),
        (Nuitka, MEMORY, "LLVM ERROR: out of memory"),
        (
            Nuitka,
            MEMORY,
            "a.c(3): fatal error C1060: compiler is out of heap space",
        ),
        (
            Nuitka,
            TOOL,
            "gcc: fatal error: cannot execute 'cc1': execvp: No such file or directory",
        ),
        (Nuitka, TOOL, "collect2: fatal error: cannot find 'ld'"),
        (
            Nuitka,
            TOOL,
            "prelude.h:1:1: fatal error: Python.h: No such file or directory",
        ),
        (
            Nuitka,
            TOOL,
            "prelude.h:1:10: fatal error: 'Python.h' file not found",
        ),
        (
            Nuitka,
            TOOL,
            "xcrun: error: invalid active developer path (/Library/Developer)",
        ),
        (Nuitka, TOOL, "sh: 1: gcc: not found"),
        (Nuitka, COMPILE, "a.c:3:1: error: expected ';'"),
        (Nuitka, COMPILE, "a.c(3): error C2065: undeclared"),
        (
            Nuitka,
            COMPILE,
            "a.c:(.text+0x1): undefined reference to `f'",
        ),
        (Nuitka, COMPILE, "/usr/bin/ld: cannot find -lfoo"),
        (Nuitka, COMPILE, LAST),
        (
            Nuitka,
            TOOL,
            "FATAL: Error, cannot locate suitable C compiler.",
        ),
        (
            Nuitka,
            TOOL,
            "FATAL: Error, standalone mode on Linux requires 'patchelf'",
        ),
        (Nuitka, TOOL, "FATAL: Error, cannot locate 'objcopy'"),
        (Nuitka, TOOL, "FATAL: Error, 'readelf' is used"),
        (
            Nuitka,
            CONFIGURATION,
            "/env/bin/python: No module named nuitka",
        ),
        (
            Nuitka,
            CONFIGURATION,
            "FATAL: Error, failed to locate module 'a'",
        ),
        (
            Nuitka,
            CONFIGURATION,
            "FATAL: Error, failed to locate package 'a'",
        ),
        (
            Nuitka,
            CONFIGURATION,
            "FATAL: Error, 'a' is a module not a package",
        ),
        (
            Nuitka,
            CONFIGURATION,
            "FATAL: Error, '*.txt' does not match any files.",
        ),
        (
            Nuitka,
            CONFIGURATION,
            "FATAL: Error, file 'a.py' is not found.",
        ),
        (
            Nuitka,
            NETWORK,
            "FATAL: Failed to download 'https://a/b' due to 'timed out'.",
        ),
        (
            Nuitka,
            DOWNLOAD,
            "FATAL: Only this gcc. Make sure to allow downloading it when prompted.",
        ),
        (
            Nuitka,
            DOWNLOAD,
            "Is it OK to download and put it in local user cache.",
        ),
        (
            Nuitka,
            Meaning::NotDownloaded,
            "FATAL: Nuitka with '--zig' depends on 'zig' to compile.",
        ),
        (Pyinstaller, TOOL, "ERROR: On Linux, objdump is required."),
        (
            Pyinstaller,
            TOOL,
            "FileNotFoundError: No such file or directory: 'objcopy'",
        ),
        (
            Pyinstaller,
            TOOL,
            "FileNotFoundError: No such file or directory: 'ldd'",
        ),
        (
            Pyinstaller,
            CONFIGURATION,
            "/env/bin/python: No module named PyInstaller",
        ),
        (
            Pyinstaller,
            CONFIGURATION,
            "pyinstaller: error: unrecognized arguments: --a",
        ),
        (
            Pyinstaller,
            CONFIGURATION,
            "ERROR: Unable to find 'a' when adding binary and data files.",
        ),
        (
            Pyinstaller,
            CONFIGURATION,
            "ERROR: option(s) not allowed: --a",
        ),
        (
            Pyinstaller,
            CONFIGURATION,
            "ERROR: Script file 'a.py' does not exist.",
        ),
    ];

    /// What Nuitka ends with, whatever the compiler said before.
    const LAST: &str = "FATAL: Failed unexpectedly in Scons C backend compilation.";

    fn printed(line: &str) -> [String; 2] {
        [line.to_owned(), LAST.to_owned()]
    }

    #[test]
    fn words_of_other_tools_are_known_too() {
        for (freezer, means, line) in SAMPLES {
            let found = find(freezer, &printed(line));
            let (found, lines) = found.unwrap_or_else(|| panic!("nothing in {line}"));
            assert_eq!((found, &*lines[0]), (means, line));
        }
        // Its own words for a wrong hidden import are no compiler's.
        let line = "12 ERROR: Hidden import 'x' not found";
        assert_eq!(find(Pyinstaller, &printed(line)), None);
    }

    /// Without any of them one of the samples would be taken for something else.
    #[test]
    fn no_sign_is_superfluous() {
        for freezer in [Nuitka, Pyinstaller] {
            for (at, sign) in known(freezer).enumerate() {
                let others = || known(freezer).enumerate().filter(|it| it.0 != at);
                let needs = |line: &str| {
                    let without = first_of(others().map(|it| it.1), &printed(line));
                    without != find(freezer, &printed(line))
                };
                let mut samples = SAMPLES
                    .iter()
                    .filter(|it| it.0 == freezer || at < SYSTEM.len());
                assert!(samples.any(|it| needs(it.2)), "{:?}", sign.words);
            }
        }
    }
}
