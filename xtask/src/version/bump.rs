//! Which version comes next, by the rules of <https://semver.org>.

use anyhow::{Context as _, Result, bail, ensure};
use semver::{BuildMetadata, Prerelease, Version};

use crate::config::{BundleKind, Config};

/// What of a version is raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// 1.2.3 -> 1.2.4; 1.2.4-beta.1 -> 1.2.4
    Patch,
    /// 1.2.3 -> 1.3.0; 1.3.0-beta.1 -> 1.3.0
    Minor,
    /// 1.2.3 -> 2.0.0; 2.0.0-beta.1 -> 2.0.0
    Major,
    /// 1.2.3 -> 1.2.4-1; 1.2.4-beta.1 -> 1.2.4-beta.2
    Prerelease,
}

/// The next version. A pre-release becomes the version that it led to, if that is as high as asked
/// for. Build metadata belongs to the version it stands behind, and is dropped.
///
/// # Errors
/// The pre-release cannot be counted on, or would come before the version as it is.
pub fn bump(version: &Version, part: Part, pre_id: Option<&str>) -> Result<Version> {
    let Version {
        major,
        minor,
        patch,
        ref pre,
        ..
    } = *version;
    let is_final = pre.is_empty();
    let raised = |number: u64| {
        let next = number.checked_add(1);
        next.with_context(|| format!("nothing comes after {number}"))
    };
    let next = match part {
        Part::Prerelease => return prerelease(version, pre_id),
        Part::Patch if is_final => Version::new(major, minor, raised(patch)?),
        Part::Patch => Version::new(major, minor, patch),
        Part::Minor if is_final || patch != 0 => Version::new(major, raised(minor)?, 0),
        Part::Minor => Version::new(major, minor, 0),
        Part::Major if is_final || patch != 0 || minor != 0 => Version::new(raised(major)?, 0, 0),
        Part::Major => Version::new(major, 0, 0),
    };
    let Some(pre_id) = pre_id else {
        return Ok(next);
    };
    // `bump minor --pre-id beta` begins the pre-releases of the next minor version.
    first(bump(&without_pre(version), part, None)?, pre_id)
}

fn without_pre(version: &Version) -> Version {
    Version::new(version.major, version.minor, version.patch)
}

fn prerelease(version: &Version, pre_id: Option<&str>) -> Result<Version> {
    if version.pre.is_empty() {
        let next = bump(version, Part::Patch, None)?;
        return first(next, pre_id.unwrap_or_default());
    }
    let (id, count) = counted(&version.pre);
    let pre_id = pre_id.unwrap_or(&id);
    let next = match count {
        _ if pre_id != id => first(without_pre(version), pre_id)?,
        None => first(without_pre(version), &id)?,
        Some(count) => with_pre(without_pre(version), &id, count + 1)?,
    };
    ensure!(
        next > *version,
        "{next} would come before {version}\n\
         hint: begin with the next version: `cargo xtask version bump patch --pre-id {pre_id}`"
    );
    Ok(next)
}

/// `beta.1` is `beta` and 1; `1` is nothing and 1; `beta` has no count.
fn counted(pre: &Prerelease) -> (String, Option<u64>) {
    let text = pre.as_str();
    let (id, last) = text.rsplit_once('.').unwrap_or(("", text));
    match last.parse::<u64>() {
        Ok(count) => (id.to_owned(), Some(count)),
        Err(_) => (text.to_owned(), None),
    }
}

fn first(version: Version, pre_id: &str) -> Result<Version> {
    with_pre(version, pre_id, 1)
}

fn with_pre(mut version: Version, pre_id: &str, count: u64) -> Result<Version> {
    let text = match pre_id {
        "" => count.to_string(),
        id => format!("{id}.{count}"),
    };
    let Ok(pre) = Prerelease::new(&text) else {
        bail!("`{pre_id}` cannot name a pre-release\nhint: letters and digits: `--pre-id beta`");
    };
    version.pre = pre;
    version.build = BuildMetadata::EMPTY;
    Ok(version)
}

/// Why Windows Installer cannot have this version, if `msi` is bundled and nothing else names a
/// version for it. `wix_version` is `bundle.windows.wix.version` of the Tauri configuration. The
/// limits are those of Windows' `ProductVersion`, and how Tauri's bundler fills it.
pub fn msi_problem(
    config: &Config,
    version: &Version,
    wix_version: Option<&str>,
) -> Option<String> {
    if !config.bundle.windows.contains(&BundleKind::Msi) || wix_version.is_some() {
        return None;
    }
    let fits = |it: &str| it.is_empty() || it.parse::<u16>().is_ok();
    let why = if version.major > 255 || version.minor > 255 || version.patch > 65535 {
        "the first two numbers end at 255, the third at 65535"
    } else if !fits(&version.pre) || !fits(&version.build) {
        "a pre-release must be a number up to 65535 there"
    } else {
        return None;
    };
    Some(format!(
        "msi, of [bundle] windows, cannot be made of {version}: {why}; `{}` would do, or set \
         bundle.windows.wix.version in the Tauri configuration",
        suggestion(version)
    ))
}

fn suggestion(version: &Version) -> Version {
    let mut short = Version::new(
        version.major.min(255),
        version.minor.min(255),
        version.patch.min(65535),
    );
    let (_, count) = counted(&version.pre);
    if !version.pre.is_empty() {
        let count = count.filter(|it| *it <= 65535).unwrap_or(1);
        short.pre = Prerelease::new(&count.to_string()).unwrap_or_default();
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_next() {
        let check = |from: &str, part, pre_id: Option<&str>, expected: &str| {
            let from = Version::parse(from).unwrap();
            let next = bump(&from, part, pre_id);
            let next = next.map_or_else(|it| it.to_string(), |it| it.to_string());
            assert_eq!(next.lines().next(), Some(expected), "{from} {part:?}");
        };
        let beta = Some("beta");
        check("1.2.3", Part::Patch, None, "1.2.4");
        check("1.2.3+7", Part::Patch, None, "1.2.4");
        check("1.2.4-beta.1", Part::Patch, None, "1.2.4");
        check("1.2.3", Part::Minor, None, "1.3.0");
        check("1.3.0-rc.1", Part::Minor, None, "1.3.0");
        check("1.3.1-rc.1", Part::Minor, None, "1.4.0");
        check("1.2.3", Part::Major, None, "2.0.0");
        check("2.0.0-1", Part::Major, None, "2.0.0");
        check("2.1.0-1", Part::Major, None, "3.0.0");
        check("1.2.3", Part::Prerelease, None, "1.2.4-1");
        check("1.2.3", Part::Prerelease, beta, "1.2.4-beta.1");
        check("1.2.4-1", Part::Prerelease, None, "1.2.4-2");
        check("1.2.4-beta.9", Part::Prerelease, None, "1.2.4-beta.10");
        check("1.2.4-beta.9", Part::Prerelease, beta, "1.2.4-beta.10");
        check("1.2.4-beta", Part::Prerelease, None, "1.2.4-beta.1");
        check("1.2.4-beta.9", Part::Prerelease, Some("rc"), "1.2.4-rc.1");
        check("1.2.4-1", Part::Prerelease, beta, "1.2.4-beta.1");
        check("1.2.3", Part::Minor, beta, "1.3.0-beta.1");
        check("1.3.0-beta.2", Part::Minor, beta, "1.4.0-beta.1");
        let backwards = "1.2.4-beta.1 would come before 1.2.4-rc.1";
        check("1.2.4-rc.1", Part::Prerelease, beta, backwards);
        let unnamed = "`ä b` cannot name a pre-release";
        check("1.2.3", Part::Prerelease, Some("ä b"), unnamed);
        let last = "nothing comes after 18446744073709551615";
        check("1.2.18446744073709551615", Part::Patch, None, last);
    }
}
