//! `sandbox.egress`: how requests leave this machine. A proxy is named here or there is none: variables of the environment, which
//! anybody may set, are not asked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use oacp_egress::{Options, Proxy};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::within;
use crate::failure::{Failure, Judge};
use crate::{file, yaml};

/// Bytes of a file of certificates.
const CA_BYTES_MAX: usize = 1 << 20;

/// The longest exchange, in milliseconds.
const TIMEOUT_MS_MAX: u64 = 600_000;

/// How requests leave this machine.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Egress")]
pub(crate) struct Block {
    /// A proxy that tunnels: `http://host:port`. It is asked for the address that was judged, never for a name.
    #[schemars(with = "Option<String>")]
    proxy: Option<Spanned<String>>,
    /// Certificates, in PEM, that are trusted beside those of the system. Relative to this file's directory.
    ca_file: Option<PathBuf>,
    /// Wall time of one exchange, in milliseconds.
    #[schemars(with = "Option<u64>", range(min = 1, max = TIMEOUT_MS_MAX))]
    timeout_ms: Option<Spanned<u64>>,
}

/// The same, read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Egress {
    pub(crate) proxy: Option<Proxy>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) timeout: Option<Duration>,
}

impl Egress {
    /// As the egress takes it.
    pub(crate) fn options(self) -> Result<Options, Failure> {
        let mut options = Options::default();
        if let Some(timeout) = self.timeout {
            options.timeout = timeout;
        }
        if let Some(path) = &self.ca_file {
            options.extra_roots = vec![file::read(path, CA_BYTES_MAX).or_usage()?];
        }
        options.proxy = self.proxy;
        Ok(options)
    }
}

impl Block {
    pub(super) fn read(&self, name: &str, dir: &Path) -> Result<Egress, Failure> {
        let timeout = match &self.timeout_ms {
            Some(ms) => Some(within(
                ms,
                1..=TIMEOUT_MS_MAX,
                "sandbox.egress.timeout_ms",
                name,
            )?),
            None => None,
        };
        let proxy = match &self.proxy {
            Some(proxy) => Some(read_proxy(proxy, name)?),
            None => None,
        };
        Ok(Egress {
            proxy,
            ca_file: self.ca_file.as_ref().map(|file| dir.join(file)),
            timeout: timeout.map(Duration::from_millis),
        })
    }
}

/// The proxy that a text names. Errors hold nothing of the text, which may hold a password.
fn read_proxy(proxy: &Spanned<String>, name: &str) -> Result<Proxy, Failure> {
    Proxy::parse(&proxy.value).map_err(|e| {
        let place = yaml::place(name, proxy.referenced);
        Failure::usage(format!("{place}: `sandbox.egress.proxy`: {e}"))
            .hint("write it as http://host:port")
    })
}
