//! Which system package provides what is needed, and the command that installs it.

use std::fmt;

use crate::engine::probe::Probes;

/// A package manager of an operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// Debian, Ubuntu and what derives from them.
    Apt,
    /// Fedora, Red Hat and what derives from them.
    Dnf,
    /// macOS with Homebrew.
    Brew,
    /// Windows.
    Winget,
}

/// Something that a system package provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the table below describes each")]
pub enum Need {
    Git,
    Node,
    Npm,
    CCompiler,
    Mingw,
    RustSource,
    PkgConfig,
    Webkit,
    Python,
    PythonVenv,
    PythonHeaders,
    Objcopy,
    Ccache,
    Gpg,
    Gpgv,
    Rpmsign,
    Xvfb,
    Xauth,
    DbusSession,
    Dpkg,
    Rpm,
    Squashfs,
    SevenZip,
    Msitools,
    Nsis,
    Wine,
    Wixl,
    Xorriso,
    Patchelf,
    Minisign,
    Openssl,
    Osslsigncode,
    Gcab,
    SoftHsm,
    Pkcs11Engine,
    Debsigs,
    DebsigVerify,
    WindowTools,
    ScreenShots,
}

/// A need, in words, and its package for each manager; empty where there is none, because it comes
/// with the system or with another need's package.
struct Row {
    need: Need,
    words: &'static str,
    apt: &'static str,
    dnf: &'static str,
    brew: &'static str,
    winget: &'static str,
}

macro_rules! table {
    ($($need:ident $words:literal $apt:literal $dnf:literal $brew:literal $winget:literal)*) => {
        &[$(Row {
            need: Need::$need,
            words: $words,
            apt: $apt,
            dnf: $dnf,
            brew: $brew,
            winget: $winget,
        }),*]
    };
}

#[rustfmt::skip]
const TABLE: &[Row] = table! {
//  need          in words                            apt                      dnf                     brew         winget
    Git           "git"                               "git"                    "git"                   "git"        "Git.Git"
    Node          "Node.js"                           "nodejs"                 "nodejs"                "node"       "OpenJS.NodeJS.LTS"
    Npm           "npm"                               "npm"                    "nodejs-npm"            "node"       "OpenJS.NodeJS.LTS"
    CCompiler     "a C compiler"                      "build-essential"        "gcc"                   ""           "Microsoft.VisualStudio.2022.BuildTools"
    Mingw         "MinGW-w64 for 64-bit Windows"      "gcc-mingw-w64-x86-64"   "mingw64-gcc"           "mingw-w64"  ""
    RustSource    "the sources of Rust's standard library" "rust-web-src"      "rust-src"              ""           ""
    PkgConfig     "pkg-config"                        "pkg-config"             "pkgconf-pkg-config"    "pkgconf"    ""
    Webkit        "WebKitGTK 4.1 with its headers"    "libwebkit2gtk-4.1-dev"  "webkit2gtk4.1-devel"   ""           ""
    Python        "Python"                            "python3"                "python3"               "python"     "Python.Python.3.13"
    PythonVenv    "Python's venv and ensurepip"       "python3-venv"           "python3"               ""           ""
    PythonHeaders "Python's C headers"                "python3-dev"            "python3-devel"         ""           ""
    Objcopy       "objcopy"                           "binutils"               "binutils"              ""           ""
    Ccache        "ccache"                            "ccache"                 "ccache"                "ccache"     ""
    Gpg           "GnuPG"                             "gnupg"                  "gnupg2"                "gnupg"      "GnuPG.GnuPG"
    Gpgv          "gpgv"                              "gpgv"                   "gnupg2"                "gnupg"      "GnuPG.GnuPG"
    Rpmsign       "rpmsign"                           "rpm"                    "rpm-sign"              "rpm"        ""
    Xvfb          "Xvfb with xvfb-run"                "xvfb"                   "xorg-x11-server-Xvfb"  ""           ""
    Xauth         "xauth"                             "xauth"                  "xorg-x11-xauth"        ""           ""
    DbusSession   "dbus-run-session"                  "dbus"                   "dbus-daemon"           ""           ""
    Dpkg          "dpkg"                              "dpkg"                   "dpkg"                  "dpkg"       ""
    Rpm           "rpm"                               "rpm"                    "rpm"                   "rpm"        ""
    Squashfs      "squashfs-tools"                    "squashfs-tools"         "squashfs-tools"        "squashfs"   ""
    SevenZip      "7-Zip"                             "7zip"                   "7zip"                  "sevenzip"   "7zip.7zip"
    Msitools      "msitools"                          "msitools"               "msitools"              "msitools"   ""
    Nsis          "NSIS"                              "nsis"                   "mingw32-nsis"          "makensis"   "NSIS.NSIS"
    Wine          "wine"                              "wine"                   "wine"                  ""           ""
    Wixl          "wixl"                              "wixl"                   "msitools"              "msitools"   ""
    Xorriso       "xorriso"                           "xorriso"                "xorriso"               "xorriso"    ""
    Patchelf      "patchelf"                          "patchelf"               "patchelf"              "patchelf"   ""
    Minisign      "minisign"                          "minisign"               "minisign"              "minisign"   "jedisct1.minisign"
    Openssl       "OpenSSL's command line"            "openssl"                "openssl"               "openssl"    ""
    Osslsigncode  "osslsigncode"                      "osslsigncode"           "osslsigncode"          "osslsigncode" ""
    Gcab          "gcab"                              "gcab"                   "gcab"                  "gcab"       ""
    SoftHsm       "SoftHSM"                           "softhsm2"               "softhsm"               "softhsm"    ""
    Pkcs11Engine  "OpenSSL's engine for PKCS #11"     "libengine-pkcs11-openssl" "openssl-pkcs11"      "libp11"     ""
    Debsigs       "debsigs"                           "debsigs"                ""                      ""           ""
    DebsigVerify  "debsig-verify"                     "debsig-verify"          ""                      ""           ""
    WindowTools   "xdotool or xprop"                  "xdotool"                "xdotool"               ""           ""
    ScreenShots   "ImageMagick's import"              "imagemagick"            "ImageMagick"           ""           ""
};

impl Need {
    fn row(self) -> Option<&'static Row> {
        TABLE.iter().find(|it| it.need == self)
    }

    /// The package that provides it; none if this manager has none.
    pub fn package(self, manager: Manager) -> Option<&'static str> {
        let row = self.row()?;
        let name = match manager {
            Manager::Apt => row.apt,
            Manager::Dnf => row.dnf,
            Manager::Brew => row.brew,
            Manager::Winget => row.winget,
        };
        Some(name).filter(|it| !it.is_empty())
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().map_or("", |it| it.words))
    }
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Apt => "apt",
            Self::Dnf => "dnf",
            Self::Brew => "brew",
            Self::Winget => "winget",
        })
    }
}

/// What decides how packages are installed on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct System {
    /// None on a system that this program does not know.
    pub manager: Option<Manager>,
    /// Whether commands that change the system are to be run by `sudo`.
    pub sudo: bool,
}

impl System {
    /// Looks at this machine.
    pub fn detect(probes: &Probes) -> Self {
        let manager = match std::env::consts::OS {
            "linux" => manager_of(&os_release()),
            "macos" => Some(Manager::Brew),
            "windows" => Some(Manager::Winget),
            _ => None,
        };
        Self {
            manager,
            sudo: !is_root() && probes.find("sudo").is_ok(),
        }
    }

    /// The commands that install these packages, one after the other; none if the system is
    /// unknown or there is nothing to install.
    pub fn install(&self, packages: &[String]) -> Vec<Vec<String>> {
        let Some(manager) = self.manager.filter(|_| !packages.is_empty()) else {
            return Vec::new();
        };
        let fixed: &[&[&str]] = match manager {
            // Without the update a fresh container knows no package at all.
            Manager::Apt => &[
                &["apt-get", "update"],
                &["apt-get", "install", "-y", "--no-install-recommends"],
            ],
            Manager::Dnf => &[&["dnf", "install", "-y"]],
            Manager::Brew => &[&["brew", "install"]],
            Manager::Winget => &[&["winget", "install", "-e", "--id"]],
        };
        let mut commands: Vec<Vec<String>> = fixed
            .iter()
            .map(|it| it.iter().map(|&word| word.to_owned()).collect())
            .collect();
        match (manager, commands.pop()) {
            // winget takes one identifier at a time.
            (Manager::Winget, Some(last)) => {
                commands.extend(
                    packages
                        .iter()
                        .map(|it| [&last[..], std::slice::from_ref(it)].concat()),
                );
            }
            (_, last) => commands.extend(last.map(|it| [it, packages.to_vec()].concat())),
        }
        if self.sudo && matches!(manager, Manager::Apt | Manager::Dnf) {
            for command in &mut commands {
                command.insert(0, "sudo".to_owned());
            }
        }
        commands
    }
}

/// The manager of the Linux distribution that an os-release(5) file describes.
pub fn manager_of(os_release: &str) -> Option<Manager> {
    let value = |key: &str| {
        let mut lines = os_release.lines();
        let value = lines.find_map(|it| it.trim().strip_prefix(key)?.strip_prefix('='))?;
        Some(value.trim_matches(['"', '\'']))
    };
    // ID_LIKE lists the distributions that this one derives from, the nearest first.
    let names = [value("ID"), value("ID_LIKE")];
    let names = names.iter().flatten().flat_map(|it| it.split_whitespace());
    names.into_iter().find_map(|name| match name {
        "debian" | "ubuntu" => Some(Manager::Apt),
        "fedora" | "rhel" | "centos" => Some(Manager::Dnf),
        _ => None,
    })
}

fn os_release() -> String {
    let places = ["/etc/os-release", "/usr/lib/os-release"];
    let mut texts = places.iter().map(std::fs::read_to_string);
    texts.find_map(Result::ok).unwrap_or_default()
}

/// The owner of a process's folder in /proc is the user that it runs as.
#[cfg(target_os = "linux")]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0)
}

#[cfg(not(target_os = "linux"))]
fn is_root() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_os_release() {
        let check = |text: &str, manager| assert_eq!(manager_of(text), manager, "{text}");
        check(
            "PRETTY_NAME=\"Debian GNU/Linux 12\"\nVERSION_ID=\"12\"\nID=debian\n",
            Some(Manager::Apt),
        );
        check("ID_LIKE=debian\nID=ubuntu\n", Some(Manager::Apt));
        check(
            "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n",
            Some(Manager::Apt),
        );
        check("ID='fedora'\n", Some(Manager::Dnf));
        check(
            "ID=rocky\nID_LIKE=\"rhel centos fedora\"\n",
            Some(Manager::Dnf),
        );
        check("ID_LIKE=fedora\nID=debian\n", Some(Manager::Apt));
        check("ID=nixos\nVERSION_ID=debian\n", None);
        check("", None);
    }

    #[test]
    fn builds_one_install() {
        let check = |manager, sudo, expected: &[&str]| {
            let packages = ["a".to_owned(), "b".to_owned()];
            let manager = Some(manager);
            let commands = System { manager, sudo }.install(&packages);
            let lines: Vec<String> = commands.iter().map(|it| it.join(" ")).collect();
            assert_eq!(lines, expected);
        };
        check(
            Manager::Apt,
            true,
            &[
                "sudo apt-get update",
                "sudo apt-get install -y --no-install-recommends a b",
            ],
        );
        check(Manager::Dnf, false, &["dnf install -y a b"]);
        check(Manager::Brew, true, &["brew install a b"]);
        check(
            Manager::Winget,
            false,
            &["winget install -e --id a", "winget install -e --id b"],
        );
        let apt = System {
            manager: Some(Manager::Apt),
            sudo: false,
        };
        assert!(apt.install(&[]).is_empty());
    }

    #[test]
    fn every_need_has_one_row() {
        for (at, row) in TABLE.iter().enumerate() {
            assert!(TABLE[at + 1..].iter().all(|it| it.need != row.need));
        }
        assert_eq!(TABLE.len(), Need::ScreenShots as usize + 1);
    }
}
