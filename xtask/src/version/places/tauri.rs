//! The Tauri configuration, and those that are laid over it on one platform.

use anyhow::Result;

use super::{Form, Look, node};
use crate::{config::plain, version::leaf::Syntax};

/// The platforms that a configuration may be for alone, and how their files are named:
/// <https://v2.tauri.app/develop/configuration-files/>.
const PLATFORMS: [&str; 5] = ["linux", "windows", "macos", "android", "ios"];

/// Gives `bundle.windows.wix.version`.
pub(super) fn look(look: &mut Look<'_>) -> Result<Option<String>> {
    let file = look.config.tauri.file.clone();
    let dir = file.parent().map(ToOwned::to_owned).unwrap_or_default();
    let mut files = vec![file];
    for platform in PLATFORMS {
        let names = [
            format!("tauri.{platform}.conf.json"),
            format!("tauri.{platform}.conf.json5"),
            format!("Tauri.{platform}.toml"),
        ];
        files.extend(
            names
                .iter()
                .map(|it| dir.join(it))
                .filter(|it| it.is_file()),
        );
    }
    let mut wix = None;
    for (index, file) in files.iter().enumerate() {
        let source = look.read(file, Syntax::of(file))?;
        let wix_keys = ["bundle", "windows", "wix", "version"];
        wix = source.text_of(&wix_keys).map(str::to_owned).or(wix);
        let Some(version) = source.strings(&["version"]).next() else {
            if index == 0 {
                look.remark(file, None, "no version: Tauri takes that of Cargo.toml");
            }
            continue;
        };
        if version.text.ends_with(".json") {
            let line = source.line(version.span.start);
            let text = format!("takes that of {}", version.text);
            look.remark(file, Some(line), text);
            node::package(look, &plain(&dir.join(&version.text)))?;
        } else {
            look.place(file, &["version"], Form::Semver, None)?;
        }
    }
    Ok(wix)
}
