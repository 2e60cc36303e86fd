//! What is signed of an app, a disk image or a loose file: in which order, with which entitlements,
//! and why. It only looks.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::Result;

use super::{
    discover::{self, Kind},
    onefile,
};
use crate::{config::AppleSigning, engine::files};

/// Lets a process load libraries that another team signed, or nobody.
pub const NO_LIBRARY_VALIDATION: &str = "com.apple.security.cs.disable-library-validation";

/// Something to sign. What seals another comes after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where it lies.
    pub path: PathBuf,
    /// The same in the app, with `/`; its name if it is in none.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What it may do under the hardened runtime.
    pub entitlements: Entitlements,
}

/// What code may do under the hardened runtime, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entitlements {
    /// Nothing out of the ordinary.
    None,
    /// What this file says, which the configuration names for it.
    File(PathBuf),
    /// None: the configuration names this file for it, but it is no program. `codesign` gives
    /// entitlements to programs alone, whose process they are for.
    PassedOver(PathBuf),
    /// [`NO_LIBRARY_VALIDATION`] alone; the text says why.
    NoLibraryValidation(String),
}

impl fmt::Display for Entitlements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::PassedOver(path) => {
                let path = path.display();
                write!(f, "none: {path} is for programs, and this is a library")
            }
            Self::NoLibraryValidation(why) => write!(f, "{NO_LIBRARY_VALIDATION}: {why}"),
        }
    }
}

impl Item {
    /// What it is and why it comes when it does, for people.
    pub fn why(&self) -> &'static str {
        match self.kind {
            Kind::Code => "code, found by its first bytes",
            Kind::Framework => "a framework; it seals the code in it",
            Kind::Bundle => "it seals all code and resources in it",
            Kind::Image => "a disk image; what is in it was signed before",
        }
    }
}

/// Code, and the file with its entitlements.
pub struct Named {
    /// Which code, by its path in the app.
    pub glob: String,
    /// The property list.
    pub file: PathBuf,
}

/// All files with entitlements that the configuration names.
pub fn named(config: &AppleSigning) -> Vec<Named> {
    let own = config.entitlements.iter().map(|file| ("", file));
    let others = config.files.iter().map(|it| (&*it.path, &it.entitlements));
    let named = own.chain(others).map(|(glob, file)| Named {
        glob: glob.to_owned(),
        file: file.clone(),
    });
    named.collect()
}

/// All that is signed of what lies at `path`, in order. `sidecars` are the names of those that are
/// configured: one of them beside the app's main executable is one file.
///
/// # Errors
/// It is nothing that macOS wants signed, or the disk's.
pub fn plan(path: &Path, config: &AppleSigning, sidecars: &[String]) -> Result<Vec<Item>> {
    let kind = Kind::of(path)?;
    let found = match kind {
        Kind::Bundle => discover::inside_out(path)?,
        _ => vec![(path.to_owned(), kind)],
    };
    let items = found.into_iter().map(|(at, kind)| {
        let name = name_in(path, &at);
        let is_app = at == path && kind == Kind::Bundle;
        let entitlements = entitlements(&at, &name, kind, is_app, config, sidecars)?;
        Ok(Item {
            path: at,
            name,
            kind,
            entitlements,
        })
    });
    items.collect()
}

fn name_in(top: &Path, path: &Path) -> String {
    match path.strip_prefix(top) {
        Ok(inside) if inside != Path::new("") => inside.to_string_lossy().replace('\\', "/"),
        _ => path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
    }
}

fn entitlements(
    path: &Path,
    name: &str,
    kind: Kind,
    is_app: bool,
    config: &AppleSigning,
    sidecars: &[String],
) -> Result<Entitlements> {
    if let Kind::Image | Kind::Framework = kind {
        return Ok(Entitlements::None);
    }
    // The main executable of an app goes by its own path, too; and loose code by the one that it has
    // in an app, beside that.
    let own = match is_app {
        true => Some(main_in(path)?),
        false => (!name.contains('/')).then(|| format!("Contents/MacOS/{name}")),
    };
    let fits = |glob: &str| {
        [Some(name), own.as_deref()]
            .into_iter()
            .flatten()
            .any(|it| files::glob_matches(glob, it))
    };
    if let Some(it) = config.files.iter().find(|it| fits(&it.path)) {
        let file = it.entitlements.clone();
        return Ok(match is_app || discover::is_program(path)? {
            true => Entitlements::File(file),
            false => Entitlements::PassedOver(file),
        });
    }
    if is_app {
        let file = config.entitlements.clone();
        return Ok(file.map_or(Entitlements::None, Entitlements::File));
    }
    Ok(match unpacks(path, name, sidecars)? {
        Some(why) => Entitlements::NoLibraryValidation(why),
        None => Entitlements::None,
    })
}

fn main_in(app: &Path) -> Result<String> {
    Ok(name_in(app, &discover::main_executable(app)?))
}

/// Why a program loads code that is not signed with it; none if it does not.
fn unpacks(path: &Path, name: &str, sidecars: &[String]) -> Result<Option<String>> {
    const THEN: &str = "with other signatures than its own; under the hardened runtime macOS would \
                        refuse to load them";
    let program = name.strip_prefix("Contents/MacOS/").unwrap_or(name);
    if program.contains('/') {
        return Ok(None);
    }
    if let Some(count) = onefile::libraries(&fs_err::read(path)?) {
        return Ok(Some(format!(
            "it unpacks {count} libraries when it starts, {THEN}"
        )));
    }
    let is_sidecar = sidecars.iter().any(|it| it == program);
    Ok(is_sidecar
        .then(|| format!("a sidecar in one file unpacks its libraries when it starts, {THEN}")))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use fs_err as fs;

    use super::*;
    use crate::config::{CertificateFile, Entitled, Timestamping};

    /// The beginning of a Mach-O file: an executable for ARM.
    const CODE: &[u8] = b"\xcf\xfa\xed\xfe\x0c\0\0\x01\0\0\0\0\x02\0\0\0rest";

    /// A library (`MH_BUNDLE`, as Python loads them).
    const LIBRARY: &[u8] = b"\xcf\xfa\xed\xfe\x0c\0\0\x01\0\0\0\0\x08\0\0\0rest";

    fn config(entitlements: Option<&str>, files: &[(&str, &str)]) -> AppleSigning {
        let certificate = CertificateFile {
            env: "APPLE_CERTIFICATE".into(),
            password_env: "APPLE_CERTIFICATE_PASSWORD".into(),
        };
        let entitled = |(path, file): &(&str, &str)| Entitled {
            path: (*path).to_owned(),
            entitlements: (*file).into(),
        };
        AppleSigning {
            tool: crate::config::AppleTool::Auto,
            identity: None,
            certificate,
            entitlements: entitlements.map(Into::into),
            files: files.iter().map(entitled).collect(),
            timestamp: Timestamping::Rfc3161,
            timestamp_server: String::new(),
            notarize: true,
            notarize_timeout: std::time::Duration::ZERO,
            trust: None,
        }
    }

    fn info(executable: &str) -> String {
        format!(
            "<plist version=\"1.0\"><dict><key>CFBundleExecutable</key><string>{executable}</string>\
             </dict></plist>"
        )
    }

    /// An app with these files, whose content follows from their name.
    fn app(folder: &Path, files: &[&str]) -> PathBuf {
        let app = folder.join("A.app");
        for name in files {
            let content = match name.rsplit('/').next().unwrap() {
                "Info.plist" if name.contains("framework") => info("P").into_bytes(),
                "Info.plist" => info("a").into_bytes(),
                "packed" => [CODE, &onefile::program(b"bbb")].concat(),
                it if it.ends_with(".so") => LIBRARY.to_vec(),
                "Some.class" => b"\xca\xfe\xba\xbe\0\0\0\x34".to_vec(),
                "fat" => b"\xca\xfe\xba\xbe\0\0\0\x02".to_vec(),
                "part.o" => b"\xcf\xfa\xed\xfe\x0c\0\0\x01\0\0\0\0\x01\0\0\0".to_vec(),
                it if it.contains("text") => b"text".to_vec(),
                _ => CODE.to_vec(),
            };
            let at = app.join(name);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, content).unwrap();
        }
        app
    }

    fn check(files: &[&str], config: &AppleSigning, expected: Expect) {
        let folder = tempfile::tempdir().unwrap();
        let app = app(folder.path(), files);
        let text = match plan(&app, config, &["analyzer".to_owned()]) {
            Ok(items) => items
                .iter()
                .map(|it| format!("{} ({:?}) {}\n", it.name, it.kind, it.entitlements))
                .collect(),
            Err(error) => format!("{error:#}\n").replace(&*app.to_string_lossy(), "A.app"),
        };
        expected.assert_eq(&text);
    }

    const WHOLE: [&str; 12] = [
        "Contents/Info.plist",
        "Contents/MacOS/a",
        "Contents/MacOS/analyzer",
        "Contents/MacOS/packed",
        "Contents/Frameworks/P.framework/Versions/A/P",
        "Contents/Frameworks/P.framework/Versions/A/Resources/Info.plist",
        "Contents/Resources/text",
        "Contents/Resources/Some.class",
        "Contents/Resources/part.o",
        "Contents/Resources/fat",
        "Contents/Resources/sidecars/s/s",
        "Contents/Resources/sidecars/s/_internal/lib.so",
    ];

    #[test]
    fn inside_out_with_entitlements() {
        check(
            &WHOLE,
            &config(Some("app.plist"), &[]),
            expect![[r#"
                Contents/Resources/sidecars/s/_internal/lib.so (Code) none
                Contents/Frameworks/P.framework/Versions/A (Framework) none
                Contents/Resources/sidecars/s/s (Code) none
                Contents/MacOS/analyzer (Code) com.apple.security.cs.disable-library-validation: a sidecar in one file unpacks its libraries when it starts, with other signatures than its own; under the hardened runtime macOS would refuse to load them
                Contents/MacOS/packed (Code) com.apple.security.cs.disable-library-validation: it unpacks 3 libraries when it starts, with other signatures than its own; under the hardened runtime macOS would refuse to load them
                Contents/Resources/fat (Code) none
                A.app (Bundle) app.plist
            "#]],
        );
        // What the configuration says of a file counts alone.
        let files = [
            ("Contents/MacOS/analyzer", "s.plist"),
            ("*.so", "l.plist"),
            ("Contents/MacOS/*", "m.plist"),
        ];
        check(
            &WHOLE,
            &config(Some("app.plist"), &files),
            expect![[r#"
                Contents/Resources/sidecars/s/_internal/lib.so (Code) none: l.plist is for programs, and this is a library
                Contents/Frameworks/P.framework/Versions/A (Framework) none
                Contents/Resources/sidecars/s/s (Code) none
                Contents/MacOS/analyzer (Code) s.plist
                Contents/MacOS/packed (Code) m.plist
                Contents/Resources/fat (Code) none
                A.app (Bundle) m.plist
            "#]],
        );
    }

    #[test]
    fn what_cannot_be_signed() {
        check(
            &[
                "Contents/Info.plist",
                "Contents/MacOS/a",
                "Contents/MacOS/text",
            ],
            &config(None, &[]),
            expect![[r#"
                A.app/Contents/MacOS/text is no program, and macOS takes all in Contents/MacOS for code: no signature would hold
                hint: put it into Contents/Resources, in Tauri with `bundle.resources`
            "#]],
        );
        check(
            &["Contents/Info.plist", "Contents/MacOS/b"],
            &config(None, &[]),
            expect![[r#"
                A.app/Contents/MacOS/a is missing
            "#]],
        );
        check(
            &["Contents/MacOS/a"],
            &config(None, &[]),
            expect![[r#"
                A.app is a folder, but no app: Contents/Info.plist is missing
            "#]],
        );
    }

    #[test]
    fn programs_are_told_from_libraries() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("code");
        let check = |bytes: &[u8], expected: bool| {
            fs::write(&file, bytes).unwrap();
            let found = discover::is_program(&file).unwrap();
            assert_eq!(found, expected, "{bytes:02x?}");
        };
        check(CODE, true);
        check(LIBRARY, false);
        // For several architectures: what lies at the place of the first one.
        let head = b"\xca\xfe\xba\xbe\0\0\0\x01\x01\0\0\x0c\0\0\0\0\0\0\0\x1c";
        let fat = |code: &[u8]| [&head[..], &[0; 8], code].concat();
        check(&fat(CODE), true);
        check(&fat(LIBRARY), false);
        let head = b"\xca\xfe\xba\xbf\0\0\0\x01\x01\0\0\x0c\0\0\0\0\0\0\0\0\0\0\0\x20";
        check(&[&head[..], &[0; 8], LIBRARY].concat(), false);
        // What cannot be read gets what it was to get.
        check(&fat(b""), true);
    }
}
