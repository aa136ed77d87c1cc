//! Where a tool is to come from: a path, a URL or a registry; and whose signature it has to have.
//!
//! What is fetched, or has to be signed, is described from a private copy: the bytes that were checked, and no others.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use oacp_gateway::SourceWeb;
use oacp_tool::source::{
    FetchError, Fetched, Progress, PublisherKey, Reference, SignaturePolicy, fetch,
};
use oacp_tool::store::{Origin, OriginKind, Registered};

use crate::config::Egress;
use crate::console::{Console, GREEN};
use crate::escape::visible;
use crate::failure::{Failure, Judge};
use crate::file::{self, Existing, Readers};
use crate::home::Home;
use crate::progress::Counting;
use crate::{node_key, runtime};

/// Bytes of a file with a public key.
const KEY_BYTES_MAX: usize = 64 << 10;

/// Whose signature is required.
#[derive(Args, Default)]
pub(crate) struct SignatureFlags {
    /// Take only what one of these keys has signed: a public key in PEM, of a node or of cosign. Can be repeated
    #[arg(long, value_name = "FILE", help_heading = "Signatures")]
    publisher_key: Vec<PathBuf>,
    /// Take only what is signed, by a publisher's key or by this node's own
    #[arg(long, help_heading = "Signatures")]
    require_signature: bool,
}

impl SignatureFlags {
    pub(crate) fn is_empty(&self) -> bool {
        self.publisher_key.is_empty() && !self.require_signature
    }

    fn policy(&self, home: &Home) -> Result<SignaturePolicy, Failure> {
        if self.is_empty() {
            return Ok(SignaturePolicy::default());
        }
        let mut keys = Vec::new();
        for path in &self.publisher_key {
            let shown = path.display().to_string();
            let pem = file::read(path, KEY_BYTES_MAX).or_usage()?;
            let key = PublisherKey::from_pem(&shown, &String::from_utf8_lossy(&pem));
            keys.push(key.or_context(|| format!("`{shown}`")).or_usage()?);
        }
        if self.require_signature
            && let Some(own) = node_key::load(home)?
        {
            keys.push(PublisherKey::from_pem("this node", &own.public().to_pem())?);
        }
        Ok(SignaturePolicy::signed_by(keys))
    }
}

/// A package that can be described, and what is known of where it came from.
pub(crate) struct Located {
    path: PathBuf,
    /// What was fetched or checked, which is described from a copy. `None`: a path, as it is.
    fetched: Option<(Fetched, PrivateCopy)>,
}

/// A private copy, which goes with its owner.
struct PrivateCopy(PathBuf);

impl Drop for PrivateCopy {
    fn drop(&mut self) {
        // What is left behind is only a copy.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Finds what a path or a reference means; fetches it if it is elsewhere, and checks its signature if there has to be one.
///
/// # Errors
///
/// Usage: not a reference, or it does not lead to what it says, or not signed as required. Unable: the network's.
pub(crate) fn locate(
    named: &Path,
    flags: &SignatureFlags,
    egress: &Egress,
    home: &Home,
    console: &Console,
) -> Result<Located, Failure> {
    let reference = match named.to_str() {
        Some(text) => Reference::parse(text).or_usage()?,
        None => Reference::Path(named.to_owned()),
    };
    let policy = flags.policy(home)?;
    if let Reference::Path(path) = &reference
        && !policy.is_required()
    {
        return Ok(Located {
            path: path.clone(),
            fetched: None,
        });
    }
    let fetched = fetched(&reference, &policy, egress, home, console)?;
    // One process describes one package at a time.
    let copy = PrivateCopy(cache(home).join(format!("copy-{}", std::process::id())));
    fs::create_dir_all(&copy.0)?;
    let path = copy.0.join(fetched.name.as_str());
    file::write_whole(&path, &fetched.bytes, Existing::Replace, Readers::Owner)?;
    Ok(Located {
        path,
        fetched: Some((fetched, copy)),
    })
}

impl Located {
    /// Where to describe it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The record of a package that was described, with where it came from and who signed it.
    ///
    /// # Errors
    ///
    /// What was described is not what was checked.
    pub(crate) fn attributed(&self, mut package: Registered) -> Result<Registered, Failure> {
        let Some((fetched, _)) = &self.fetched else {
            return Ok(package);
        };
        if package.origin.sha256 != Some(fetched.sha256) {
            let copy = self.path.display();
            return Err(Failure::unable(format!("`{copy}` was changed meanwhile")));
        }
        // A path is recorded in full already.
        let elsewhere = match &fetched.reference {
            Reference::Path(_) => None,
            Reference::Url(_) => Some(OriginKind::Https),
            Reference::Oci(_) => Some(OriginKind::Oci),
        };
        if let Some(kind) = elsewhere {
            package.origin.kind = kind;
            package.origin.reference = fetched.reference.to_string();
        }
        package.signature = fetched.signature.clone();
        Ok(package)
    }
}

/// Refuses to take another version of a package without a signature, if it was registered with one.
///
/// # Errors
///
/// Usage: nobody's signature is required.
pub(crate) fn refuse_unsigned(old: &Registered, flags: &SignatureFlags) -> Result<(), Failure> {
    let Some(signature) = old.signature.as_ref().filter(|_| flags.is_empty()) else {
        return Ok(());
    };
    let failure = Failure::usage(format!(
        "`{}` was registered with a signature by the key {}, and another version would be taken without one",
        old.name,
        visible(&signature.signer)
    ));
    Err(failure.hint("say --publisher-key FILE or --require-signature, as when it was added"))
}

/// Where a package is to be looked at again. `from`: where its user says that it is now.
///
/// # Errors
///
/// Usage: what it came from cannot have changed.
pub(crate) fn again(origin: &Origin, from: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(from) = from {
        return Ok(from.to_owned());
    }
    if matches!(origin.kind, OriginKind::File | OriginKind::Directory) {
        return Ok(PathBuf::from(&origin.reference));
    }
    let pinned = Reference::parse(&origin.reference).or_usage()?;
    if let Reference::Oci(image) = &pinned
        && let Some(image) = image.clone().unpinned()
    {
        return Ok(Reference::Oci(image).to_string().into());
    }
    Err(Failure::usage(format!(
        "`{pinned}` is named by its digest, and cannot change"
    ))
    .hint("say where another version is with --from"))
}

/// The files that were fetched, by their digests.
fn cache(home: &Home) -> PathBuf {
    home.cache().join("tools")
}

fn fetched(
    reference: &Reference,
    policy: &SignaturePolicy,
    egress: &Egress,
    home: &Home,
    console: &Console,
) -> Result<Fetched, Failure> {
    let web = SourceWeb::new(&egress.clone().options()?)?;
    let cache = cache(home);
    let mut counting: Option<(Counting, u64)> = None;
    let mut report = |Progress { done, total }| {
        let new = || (Counting::new(console, "fetching", "bytes", total), 0);
        let (bar, shown) = counting.get_or_insert_with(new);
        bar.to_next(done.saturating_sub(*shown));
        *shown = done;
    };
    let fetching = fetch(reference, &cache, policy, &web, &mut report);
    let fetched = runtime::executor()?.block_on(fetching).map_err(failure)?;
    drop(counting);
    let tick = |what: &str, text: String| {
        console.note(&format!("{GREEN}✓{GREEN:#} {what:<9} {text}"));
    };
    if !matches!(reference, Reference::Path(_)) {
        tick("fetched", format!("{} {}", fetched.name, fetched.sha256));
    }
    if let Some(signature) = &fetched.signature {
        tick(
            "signed",
            format!("{}, key {}", signature.kind, signature.signer),
        );
    }
    Ok(fetched)
}

fn failure(error: FetchError) -> Failure {
    let hint = match &error {
        error if error.is_transient() => {
            "what has come by now is kept; the same command goes on from there"
        }
        FetchError::Unsigned { .. } => {
            "`oacp tool sign FILE` signs with this node's key, and cosign with its own; --publisher-key FILE names another key"
        }
        FetchError::Digest { .. } => {
            "it is not the file that was meant: ask its publisher which digest is right"
        }
        _ => "",
    };
    let is_inability = matches!(
        error,
        FetchError::Cache { .. } | FetchError::Exchange { .. } | FetchError::Status { .. }
    );
    let failure = match is_inability {
        true => Failure::from(error),
        false => match Err::<(), _>(error).or_usage() {
            Err(failure) => failure,
            Ok(()) => unreachable!("an error was judged"),
        },
    };
    match hint {
        "" => failure,
        hint => failure.hint(hint),
    }
}
