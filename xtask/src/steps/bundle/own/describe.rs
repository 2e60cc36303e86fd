//! What the script of a setup program is told.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{
    super::{Bundle, copy},
    Payload,
};
use crate::{
    config::BundleKind,
    target::windows_arch,
    tools::windows_installer::{FILES, Product},
};

impl Bundle<'_> {
    /// What the script is told. Copies what it needs besides to beside it.
    pub(super) fn describe(
        &self,
        kind: BundleKind,
        work: &Path,
        payload: &[Payload],
    ) -> Result<Product> {
        let config = &self.release.config;
        let options = &config.bundle.windows_installer;
        let tauri = self.tauri_bundle()?;
        let text = |name: &str| tauri[name].as_str().map(str::to_owned);
        let identifier = &config.product.identifier;
        let beside = Beside(work);
        let license = text("licenseFile").map(|it| config.app.dir.join(it));
        let license_name = match license.as_ref().and_then(|it| it.extension()) {
            Some(it) if it.eq_ignore_ascii_case("rtf") => "license.rtf",
            _ => "license.txt",
        };
        let icon = icon(&tauri).map(|it| config.app.dir.join(it));
        Ok(Product {
            name: config.product.name.clone(),
            identifier: identifier.clone(),
            version: config.product.version.clone(),
            publisher: text("publisher").unwrap_or_else(|| publisher(identifier)),
            copyright: text("copyright").unwrap_or_default(),
            main: self.code.output.host.clone(),
            programs: self.programs_in_order(payload),
            arch: self.target.arch().to_owned(),
            out: self.file_name(kind),
            files: payload.iter().map(|it| it.path.clone()).collect(),
            size: size(&work.join(FILES), payload)?.div_ceil(1024),
            icon: beside.copy(icon, "icon.ico")?,
            license: beside.copy(license, license_name)?,
            webview2: beside.copy(options.webview2.clone(), "webview2.exe")?,
            scope: options.scope,
            shortcuts: options.shortcuts.clone(),
            user_data: options.user_data,
        })
    }

    /// The host first: who closes it may close the others by that.
    fn programs_in_order(&self, payload: &[Payload]) -> Vec<String> {
        let host = &self.code.output.host;
        let others = payload.iter().filter(|it| it.is_program);
        let others = others.map(|it| &it.path).filter(|it| *it != host);
        std::iter::once(host).chain(others).cloned().collect()
    }

    /// By NSIS as Tauri calls it: who downloads it need not know what made it.
    fn file_name(&self, kind: BundleKind) -> String {
        let arch = windows_arch(self.target.arch());
        let maker = match kind {
            BundleKind::Inno => "inno-",
            _ => "",
        };
        let product = &self.release.config.product;
        format!(
            "{}_{}_{arch}-{maker}setup.exe",
            product.name, product.version
        )
    }

    /// `bundle` of the Tauri configuration, with what the file for Windows says instead.
    pub(super) fn tauri_bundle(&self) -> Result<serde_json::Value> {
        let mut merged = serde_json::Value::Null;
        for (_, config) in self.configurations()? {
            merge(&mut merged, &config);
        }
        Ok(merged["bundle"].take())
    }
}

/// The folder in which the script is compiled.
struct Beside<'a>(&'a Path);

impl Beside<'_> {
    /// Copies a file to there; its name.
    fn copy(&self, from: Option<PathBuf>, name: &str) -> Result<Option<String>> {
        let Some(from) = from else { return Ok(None) };
        copy(&from, &self.0.join(name))?;
        Ok(Some(name.to_owned()))
    }
}

fn icon(tauri: &serde_json::Value) -> Option<&str> {
    let icons = tauri["icon"].as_array().into_iter().flatten();
    let mut icons = icons.filter_map(|it| it.as_str());
    icons.find(|it| it.ends_with(".ico"))
}

/// As Tauri has it where nothing is said: of org.example.app the second part.
fn publisher(identifier: &str) -> String {
    let second = identifier.split('.').nth(1);
    second.unwrap_or(identifier).to_owned()
}

/// Of all files together, in bytes.
fn size(files: &Path, payload: &[Payload]) -> Result<u64> {
    let sizes = payload.iter().map(|it| {
        let metadata = fs_err::metadata(files.join(&it.path))?;
        Ok(metadata.len())
    });
    sizes.sum()
}

/// RFC 7396: what is in `over` replaces what was there, null removes it, tables are joined.
fn merge(under: &mut serde_json::Value, over: &serde_json::Value) {
    let Some(over) = over.as_object() else {
        *under = over.clone();
        return;
    };
    if !under.is_object() {
        *under = serde_json::json!({});
    }
    let Some(under) = under.as_object_mut() else {
        return;
    };
    for (key, value) in over {
        match value.is_null() {
            true => drop(under.remove(key)),
            false => merge(under.entry(key).or_insert(serde_json::Value::Null), value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 7396, appendix A.
    #[test]
    fn merges_as_the_rfc_says() {
        let check = |under: &str, over: &str, expected: &str| {
            let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            let mut merged = parse(under);
            merge(&mut merged, &parse(over));
            assert_eq!(merged, parse(expected), "{under} {over}");
        };
        check(r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#);
        check(r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#);
        check(r#"{"a":"b"}"#, r#"{"a":null}"#, "{}");
        check(r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#);
        check(r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#);
        check(r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#);
        check(
            r#"{"a":{"b":"c"}}"#,
            r#"{"a":{"b":"d","c":null}}"#,
            r#"{"a":{"b":"d"}}"#,
        );
        check(r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#);
        check(r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#);
        check(r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#);
        check(r#"{"a":"foo"}"#, "null", "null");
        check(r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#);
        check(r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#);
        check("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#);
        check("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#);
    }
}
