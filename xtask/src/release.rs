//! What is released: the configuration, the target, the source and the identity that signs. Every
//! step is made from it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    ci::{self, Maker},
    config::{BundleKind, Config, Timestamping},
    engine::{
        journal::Record,
        probe::Probes,
        secret::{Redactor, Secret},
        session::Session,
        step::Origin,
    },
    freeze::choice::Policy,
    manifest::{Identity, NO_TIMESTAMP},
    sign::{private, secrets::Secrets, windows},
    steps::apple,
    target::{Os, Target},
    tools::{
        git::{self, Commit},
        minisign::{IS_ENCRYPTED, PublicKey, Signer},
        tauri,
    },
    version::tag::{self, Tags},
};

/// Variables that hold secrets, under the names that the tools of this field use. No process
/// inherits one: the step that needs a secret hands it over.
pub const SECRET_VARIABLES: [&str; 22] = [
    "TAURI_SIGNING_PRIVATE_KEY",
    "TAURI_SIGNING_PRIVATE_KEY_PASSWORD",
    "TAURI_SIGNING_PRIVATE_KEY_PATH",
    "TAURI_SIGNING_RPM_KEY",
    "TAURI_SIGNING_RPM_KEY_PASSPHRASE",
    "APPLE_CERTIFICATE",
    "APPLE_CERTIFICATE_PASSWORD",
    "APPLE_PASSWORD",
    "APPLE_APP_SPECIFIC_PASSWORD",
    "APPLE_API_KEY",
    "APPLE_API_ISSUER",
    "APPLE_API_KEY_PATH",
    "CSC_LINK",
    "CSC_KEY_PASSWORD",
    "WIN_CSC_LINK",
    "WIN_CSC_KEY_PASSWORD",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_PASSWORD",
    "GPG_PASSPHRASE",
    "GITHUB_TOKEN",
    "GH_TOKEN",
];

/// How the command line wants the release signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningWish {
    /// With the configured key; a development identity where there is none.
    Any,
    /// With the configured key, or not at all.
    Release,
    /// Not signed, and recorded as such.
    Unsigned,
}

/// Everything that the steps are made from.
pub struct Release {
    /// The repository's configuration.
    pub config: Config,
    /// What is shipped for.
    pub target: Target,
    /// The commit that is checked out.
    pub commit: Commit,
    /// Seconds since 1970 that every timestamp in the release carries: `SOURCE_DATE_EPOCH`, else
    /// the commit's time, else 1980, the first year that a zip can hold.
    pub epoch: i64,
    /// Whether this is to be published: nothing that is only probably true will do.
    pub strict: bool,
    /// How it is signed.
    pub identity: Identity,
    /// The key, unless unsigned.
    pub signer: Option<Signer>,
    /// The passphrase of the GPG key, if one is set.
    pub gpg_passphrase: Option<Secret>,
    /// Who signs for Windows; none if nobody does, or the release is for something else.
    pub windows: Option<windows::Signer>,
    /// Where further secrets come from.
    pub secrets: Secrets,
    /// Which freezers will do.
    pub freezing: Policy,
    /// Whether tools may have a secret as an argument.
    pub allow_secret_in_args: bool,
}

/// 1980-01-01T00:00:00Z.
const FIRST_ZIP_TIME: i64 = 315_532_800;

impl Release {
    /// Reads the source's state and the keys. `state` is where a development key is kept.
    pub fn new(
        config: Config,
        target: Target,
        wish: SigningWish,
        state: &Path,
        probes: &Probes,
        redactor: &Redactor,
    ) -> Result<Self> {
        let secrets = Secrets::new(redactor.clone());
        Self::with(config, target, wish, state, probes, secrets)
    }

    /// With secrets from elsewhere than the environment and the terminal.
    pub fn with(
        config: Config,
        target: Target,
        wish: SigningWish,
        state: &Path,
        probes: &Probes,
        secrets: Secrets,
    ) -> Result<Self> {
        let mut commit = git::head(&config.root, probes)?;
        if commit.tag.is_some() {
            let tags = Tags::new(git::tags(&config.root, probes)?);
            let form = config.release.tag.as_deref();
            commit.tag = tag::chosen(&config.product.version, form, &tags);
        }
        let epoch = epoch(&commit)?;
        // All are masked, whether this run needs them or not.
        let configured = config.sign.secret_variables();
        for name in SECRET_VARIABLES
            .into_iter()
            .chain(configured.iter().map(|it| &**it))
        {
            secrets.find(&[name]).ok();
        }
        private::sweep(state)?;
        let (identity, signer) = identity(&config, wish, state, &secrets)?;
        let gpg = config.sign.gpg.as_ref();
        let gpg_passphrase = gpg.map(|it| secrets.find(&[&it.passphrase_env]));
        let gpg_passphrase = gpg_passphrase.transpose()?.flatten();
        let strict = wish == SigningWish::Release;
        Ok(Self {
            config,
            target,
            commit,
            epoch,
            strict,
            identity,
            signer,
            gpg_passphrase,
            windows: None,
            secrets,
            freezing: Policy::default(),
            allow_secret_in_args: false,
        })
    }

    /// Finds who signs for Windows, if the release is for it. `state` is where private files are kept
    /// while tools need them.
    ///
    /// # Errors
    /// Nobody does, but the release is to be published, or not every installer can be made here; or
    /// what is given cannot be used.
    pub fn find_windows_signer(
        &mut self,
        state: &Path,
        secrets: Secrets,
        allow_secret_in_args: bool,
    ) -> Result<()> {
        self.allow_secret_in_args = allow_secret_in_args;
        if let Some(gap) = self.bundle_gaps().next().filter(|_| self.strict) {
            let key = match self.target.os {
                Os::Linux => "linux",
                Os::Windows => "windows",
                Os::Macos => "macos",
            };
            bail!(
                "--release wants every installer that is configured, but {gap}\n\
                 hint: build {} on a machine that can make it, or take it out of `{key}` in [bundle]",
                self.target
            );
        }
        if self.target.os != Os::Windows || self.identity == Identity::Unsigned {
            return Ok(());
        }
        let wish = windows::Wish {
            publisher: self.identity == Identity::Release,
            allow_secret_in_args,
        };
        self.windows = windows::Signer::new(&self.config, secrets, state, wish)?;
        ensure!(
            !self.strict || self.windows.is_some(),
            "--release wants a certificate that signs for Windows, but none is configured\n\
             hint: export WIN_CSC_LINK and WIN_CSC_KEY_PASSWORD, or see \"Windows\" in \
             docs/signing.md for other ways"
        );
        Ok(())
    }

    /// Who vouches for the release, for people.
    pub fn identity_text(&self) -> String {
        let key = self
            .signer
            .as_ref()
            .map(|it| it.public_key().key_id())
            .unwrap_or_default();
        match self.identity {
            Identity::Release => format!("minisign key {key}"),
            Identity::Development => format!(
                "development key {key} was made on this machine; for a real one see `sign` in \
                 docs/configuration.md"
            ),
            Identity::Unsigned => "unsigned, because --unsigned was given".to_owned(),
        }
    }

    /// All variables that no process may inherit.
    pub fn withheld(config: &Config) -> Vec<String> {
        let mut names: Vec<String> = SECRET_VARIABLES.map(str::to_owned).into();
        names.extend(config.sign.secret_variables());
        let files: Vec<String> = names.iter().map(|it| format!("{it}_FILE")).collect();
        names.extend(files);
        names
    }

    /// `<release dir>/<version>/<target>`.
    pub fn folder(&self) -> PathBuf {
        let version = self.config.product.version.to_string();
        self.config
            .release
            .dir
            .join(version)
            .join(&self.target.name)
    }

    /// The GPG key that signs the checksums. It vouches for the publisher, so it signs nothing
    /// that a development identity signs; and a machine without the key can still build.
    pub fn gpg_key(&self) -> Option<String> {
        let gpg = self.config.sign.gpg.as_ref();
        gpg.filter(|_| self.identity == Identity::Release)
            .map(|it| it.key.clone())
    }

    /// The kinds of packages that the GPG key signs inside, and the key for each.
    pub fn package_keys(&self) -> BTreeMap<String, String> {
        let linux = self.config.sign.linux;
        let kinds = [("deb", linux.deb), ("rpm", linux.rpm)];
        let wanted = kinds
            .into_iter()
            .filter(|it| it.1 && self.target.os == Os::Linux);
        let signed = wanted.filter_map(|it| Some((it.0.to_owned(), self.gpg_key()?)));
        signed.collect()
    }

    /// The kinds of installers that are made here.
    pub fn bundles(&self) -> Vec<BundleKind> {
        let mut kinds = self.target.bundles(&self.config.bundle);
        kinds.retain(|it| self.target.bundles_here(*it).is_ok());
        kinds
    }

    /// The kinds of installers that are configured but cannot be made here, and what makes them.
    fn bundle_gaps(&self) -> impl Iterator<Item = String> {
        let kinds = self.target.bundles(&self.config.bundle).into_iter();
        kinds.filter_map(|it| {
            let why = self.target.bundles_here(it).err()?;
            let (name, maker) = (tauri::kind_name(it), Maker::of(&self.config, &self.target));
            Some(format!("{name} is missing: {why}; {maker}"))
        })
    }

    /// What a complete release would have besides, and why it is not there.
    pub fn gaps(&self) -> Vec<String> {
        let mut gaps: Vec<String> = self.bundle_gaps().collect();
        gaps.extend(self.gpg_gaps());
        if self.target.os == Os::Windows && self.windows.is_none() {
            gaps.push(self.not_signed_for_windows().to_owned());
        }
        if self.target.os == Os::Macos && !apple::signs(self) {
            gaps.push("not signed for macOS: no certificate is set".to_owned());
        }
        if self.wants_no_timestamp() {
            gaps.push(NO_TIMESTAMP.to_owned());
        }
        gaps
    }

    /// Whether code is signed, and on purpose without a timestamp.
    fn wants_no_timestamp(&self) -> bool {
        let wanted = match self.target.os {
            Os::Windows => self.windows.as_ref().map(windows::Signer::timestamping),
            Os::Macos => apple::signs(self).then_some(self.config.sign.macos.timestamp),
            Os::Linux => None,
        };
        wanted == Some(Timestamping::None)
    }

    fn gpg_gaps(&self) -> Vec<String> {
        if self.config.sign.gpg.is_none() || self.gpg_key().is_some() {
            return Vec::new();
        }
        let linux = self.config.sign.linux;
        let here = self.target.os == Os::Linux;
        let missing = [
            ("SHA256SUMS.asc", true),
            ("signature inside the deb", linux.deb && here),
            ("signature inside the rpm", linux.rpm && here),
        ];
        let missing = missing.iter().filter(|it| it.1);
        let why = "the GPG key signs only what a release identity signs";
        missing.map(|it| format!("{}: {why}", it.0)).collect()
    }

    /// Why nothing is signed for Windows.
    pub(crate) fn not_signed_for_windows(&self) -> &'static str {
        use crate::config::WindowsIdentity;
        match self.config.sign.windows.identity {
            _ if self.identity == Identity::Unsigned => {
                "not signed for Windows (Authenticode): --unsigned was given"
            }
            WindowsIdentity::File(_) => {
                "not signed for Windows (Authenticode): no certificate is set"
            }
            _ => {
                "not signed for Windows (Authenticode): the key signs only what a release identity \
                  signs"
            }
        }
    }

    /// Refuses what must not be published. `recorded` says that steps were asked to be taken as
    /// recorded.
    pub fn refuse_for_publishing(&self, allow_dirty: bool, recorded: bool) -> Result<()> {
        if !self.strict {
            return Ok(());
        }
        ensure!(
            self.target.os != Os::Macos || apple::signs(self),
            "--release wants a certificate that signs for macOS, but none is configured\n\
             hint: export APPLE_CERTIFICATE and APPLE_CERTIFICATE_PASSWORD, or see \"macOS\" in \
             docs/signing.md for other ways"
        );
        self.refuse_unknown_key()?;
        ensure!(
            !recorded,
            "--release does not go with --from, --only or --skip: what they take as recorded may \
             be stale"
        );
        ensure!(
            self.commit.id.is_some(),
            "--release wants a commit to release, but this is no git repository with one"
        );
        let dirty = !allow_dirty && git::is_dirty(&self.config.root, &self.own_folders())?;
        ensure!(
            !dirty,
            "--release refuses a checkout that differs from its commit\n\
             hint: see `git status`; commit, or say --allow-dirty"
        );
        Ok(())
    }

    /// What is joined and published is held against a key that does not come with it. Without one the
    /// last job would find that out, hours later.
    fn refuse_unknown_key(&self) -> Result<()> {
        let config = &self.config;
        let is_part = !config.release.targets.is_empty() || config.root.join(ci::RELEASE).is_file();
        let own = self.signer.as_ref().map(|it| it.public_key().line());
        ensure!(
            !is_part || ci::names_key(config),
            "--release makes a part of what is joined and published, which is checked against a key that \
             is known besides: neither `public-key` in [sign.minisign] nor `plugins.updater.pubkey` of \
             the Tauri configuration names one\n\
             hint: {}; that of {} is `{}`",
            ci::KEY_HINT,
            config.sign.minisign.key_env,
            own.unwrap_or_default()
        );
        Ok(())
    }

    /// What the build itself writes into the repository.
    fn own_folders(&self) -> [String; 2] {
        [self.relative(&self.config.release.dir), "target".to_owned()]
    }

    /// Whether the checkout differs from its commit.
    ///
    /// Asking git takes longer than all else in an up-to-date run. So a clean answer is kept for
    /// as long as the commit and all that the steps were made from are the same: what differs
    /// then is in no release. With `strict` git is always asked.
    pub fn is_dirty(&self, run: &Session, history: &[(Record, Origin)]) -> Result<bool> {
        const MEMO: &str = "clean.v1";
        let Some(commit) = &self.commit.id else {
            return Ok(true);
        };
        let steps = history
            .iter()
            .map(|(record, _)| record.fingerprint.digest());
        let key = format!("{commit} {}", steps.collect::<Vec<_>>().join(" "));
        if history.iter().any(|(_, origin)| *origin == Origin::Kept) {
            // What was taken as recorded need not be what the commit holds.
            return Ok(true);
        }
        if !self.strict && run.memo(MEMO).is_some_and(|it| it == key) {
            return Ok(false);
        }
        let dirty = git::is_dirty(&self.config.root, &self.own_folders())?;
        run.set_memo(MEMO, if dirty { "" } else { &key })?;
        Ok(dirty)
    }

    /// A path relative to the repository, with `/`: fingerprints do not depend on where it lies.
    pub fn relative(&self, path: &Path) -> String {
        let path = path.strip_prefix(&self.config.root).unwrap_or(path);
        path.to_string_lossy().replace('\\', "/")
    }
}

fn epoch(commit: &Commit) -> Result<i64> {
    let Some(text) = std::env::var("SOURCE_DATE_EPOCH")
        .ok()
        .filter(|it| !it.is_empty())
    else {
        return Ok(commit.time.unwrap_or(FIRST_ZIP_TIME));
    };
    let seconds = text.trim().parse().ok().filter(|it| *it >= 0);
    seconds.with_context(|| format!("SOURCE_DATE_EPOCH is `{text}`, not seconds since 1970"))
}

fn identity(
    config: &Config,
    wish: SigningWish,
    state: &Path,
    secrets: &Secrets,
) -> Result<(Identity, Option<Signer>)> {
    if wish == SigningWish::Unsigned {
        return Ok((Identity::Unsigned, None));
    }
    let names = &config.sign.minisign;
    let password = secrets.find(&[&names.password_env])?;
    if let Some(key) = secrets.key(&names.key_env)? {
        let signer = match Signer::from_text(&key, password.as_ref()) {
            Err(error) if error.to_string().starts_with(IS_ENCRYPTED) && secrets.can_ask() => {
                let what = format!("The password of the minisign key in {}", names.key_env);
                let password = secrets.require(&what, &[&names.password_env])?;
                Signer::from_text(&key, Some(&password))
            }
            outcome => outcome,
        };
        let signer = signer.with_context(|| format!("the key in {}", names.key_env))?;
        matches_published_key(config, &signer)?;
        return Ok((Identity::Release, Some(signer)));
    }
    if wish == SigningWish::Release {
        bail!(
            "--release wants a real signing key, but {} is not set\n\
             hint: make one with `npx tauri signer generate`, keep it secret, and export it as {}",
            names.key_env,
            names.key_env
        );
    }
    Ok((
        Identity::Development,
        Some(Signer::development(&state.join("identity"))?),
    ))
}

/// A release signed with another key than the one that installed apps know is a release that they
/// refuse to update to.
fn matches_published_key(config: &Config, signer: &Signer) -> Result<()> {
    let own = signer.public_key();
    let published = [
        (
            "plugins.updater.pubkey of the Tauri configuration",
            config.tauri.updater_pubkey.clone(),
        ),
        (
            "sign.minisign.public-key of dist.toml",
            config
                .sign
                .minisign
                .public_key
                .as_ref()
                .map(fs_err::read_to_string)
                .transpose()?,
        ),
    ];
    for (place, text) in published {
        let Some(text) = text else { continue };
        let key = PublicKey::parse(&text).with_context(|| place.to_owned())?;
        ensure!(
            key == *own,
            "the signing key {} is not the one that {place} names, {}: installed apps would refuse \
             the update",
            own.key_id(),
            key.key_id()
        );
    }
    Ok(())
}
