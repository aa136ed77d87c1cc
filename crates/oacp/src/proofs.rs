//! Proofs of logging in a bundle: that an envelope's leaf is in a log, under a checkpoint that the
//! log signed and that witnesses may have cosigned.
//!
//! ```json
//! {"proofs": {"delegation": ["<text>"], "begin": ["<text>"], "execution": ["<text>", "<text>"]}}
//! ```
//!
//! Each text is a C2SP tlog-proof, verbatim. The first that was had stays, for the witnesses' time in
//! it is evidence; later ones are added behind it. A proof's field for data of an application is not
//! used, and refused: nothing in a bundle goes unchecked.

use std::fmt;

use oacp_tlog::{ParseTlogProofError, TlogProof};
use serde::{Deserialize, Serialize};

use crate::bundle::BundleError;
use crate::limits::{PROOF_BYTES_MAX, PROOFS_MAX};

/// Which of a bundle's envelopes is proven to be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proven {
    /// The delegation.
    Delegation,
    /// The begin.
    Begin,
    /// The execution's statement.
    Execution,
}

impl Proven {
    /// All three, in the order in which they are logged.
    pub const ALL: [Self; 3] = [Self::Delegation, Self::Begin, Self::Execution];

    /// The word that stands in a bundle.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delegation => "delegation",
            Self::Begin => "begin",
            Self::Execution => "execution",
        }
    }
}

impl fmt::Display for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A bundle's proofs, oldest first. Nothing in them is verified but their form. Each prints as it was
/// parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proofs {
    delegation: Vec<TlogProof>,
    begin: Vec<TlogProof>,
    execution: Vec<TlogProof>,
}

impl Proofs {
    /// Adds a proof behind those that are there. What is there already is not added again.
    pub(crate) fn add(&mut self, of: Proven, proof: TlogProof) -> Result<(), BundleProofError> {
        if proof.to_string().len() > PROOF_BYTES_MAX {
            return Err(BundleProofError::TooLarge);
        }
        if proof.extra().is_some() {
            return Err(BundleProofError::Extra);
        }
        let proofs = match of {
            Proven::Delegation => &mut self.delegation,
            Proven::Begin => &mut self.begin,
            Proven::Execution => &mut self.execution,
        };
        if proofs.contains(&proof) {
            return Ok(());
        }
        if proofs.len() >= PROOFS_MAX {
            return Err(BundleProofError::TooMany);
        }
        proofs.push(proof);
        Ok(())
    }

    /// The proofs of one envelope.
    pub(crate) fn of(&self, of: Proven) -> &[TlogProof] {
        match of {
            Proven::Delegation => &self.delegation,
            Proven::Begin => &self.begin,
            Proven::Execution => &self.execution,
        }
    }
}

fn parse(text: &str) -> Result<TlogProof, BundleProofError> {
    if text.len() > PROOF_BYTES_MAX {
        return Err(BundleProofError::TooLarge);
    }
    let proof = TlogProof::parse(text.as_bytes())?;
    match proof.extra() {
        Some(_) => Err(BundleProofError::Extra),
        None => Ok(proof),
    }
}

/// Why a bundle does not take a proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleProofError {
    /// [`PROOFS_MAX`] of one envelope are there.
    #[error("more than {PROOFS_MAX} proofs of one envelope")]
    TooMany,
    /// Longer than [`PROOF_BYTES_MAX`].
    #[error("proof is longer than {PROOF_BYTES_MAX} bytes")]
    TooLarge,
    /// With data of an application, which nothing here could check.
    #[error("proof holds data of an application")]
    Extra,
    /// Not a tlog-proof.
    #[error(transparent)]
    Malformed(#[from] ParseTlogProofError),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProofsJson {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    delegation: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    begin: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    execution: Vec<String>,
}

impl ProofsJson {
    pub(crate) fn is_empty(&self) -> bool {
        self.delegation.is_empty() && self.begin.is_empty() && self.execution.is_empty()
    }
}

impl From<&Proofs> for ProofsJson {
    fn from(proofs: &Proofs) -> Self {
        let texts = |proofs: &[TlogProof]| proofs.iter().map(ToString::to_string).collect();
        Self {
            delegation: texts(&proofs.delegation),
            begin: texts(&proofs.begin),
            execution: texts(&proofs.execution),
        }
    }
}

impl TryFrom<ProofsJson> for Proofs {
    type Error = BundleError;

    fn try_from(json: ProofsJson) -> Result<Self, BundleError> {
        let parsed = |of, texts: Vec<String>| {
            let refuse = |source| BundleError::Proof { of, source };
            if texts.len() > PROOFS_MAX {
                return Err(refuse(BundleProofError::TooMany));
            }
            let proofs = texts.iter().map(|text| parse(text));
            proofs.collect::<Result<Vec<_>, _>>().map_err(refuse)
        };
        Ok(Self {
            delegation: parsed(Proven::Delegation, json.delegation)?,
            begin: parsed(Proven::Begin, json.begin)?,
            execution: parsed(Proven::Execution, json.execution)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Bundle;
    use crate::fixture::{FullCase, WITNESSED_S};
    use oacp_tlog::{SignerKey, cosign};

    #[test]
    fn the_first_proof_stays_and_others_are_added() {
        let full = FullCase::new();
        let mut bundle = full.bare();
        let log = full.log();
        let later = |time_s| log.proof(9, log.cosigned(11, WITNESSED_S + time_s));
        bundle.add_proof(Proven::Execution, later(0)).unwrap();
        assert_eq!(bundle.proofs(Proven::Execution).len(), 1);
        for time_s in 1..PROOFS_MAX as u64 {
            bundle.add_proof(Proven::Execution, later(time_s)).unwrap();
        }
        assert_eq!(bundle.proofs(Proven::Execution).first(), Some(&later(0)));
        let more = bundle.add_proof(Proven::Execution, later(1000));
        assert_eq!(more, Err(BundleProofError::TooMany));
        assert_eq!(Bundle::parse(&bundle.to_bytes()), Ok(bundle.clone()));
        assert_eq!(bundle.clone().redact().proofs(Proven::Execution).len(), 64);
        assert_eq!(bundle.begin(), bundle.clone().redact().begin());
    }

    #[test]
    fn a_proof_is_limited_and_says_nothing_else() {
        let full = FullCase::new();
        let log = full.log();
        let mut bundle = full.bare();
        let proof = log.proof(9, log.cosigned(11, WITNESSED_S));
        let extra = proof.clone().with_extra(vec![0]).unwrap();
        assert_eq!(
            bundle.add_proof(Proven::Execution, extra),
            Err(BundleProofError::Extra)
        );
        let mut checkpoint = log.cosigned(11, WITNESSED_S);
        for n in 0..33 {
            let name = format!("{n}{}", "x".repeat(250));
            let key = SignerKey::ml_dsa44_cosigner(name.parse().unwrap(), &[n; 32]);
            let cosignature = cosign(&checkpoint, &key, WITNESSED_S);
            checkpoint.add_signature(cosignature).unwrap();
        }
        assert_eq!(
            bundle.add_proof(Proven::Execution, log.proof(9, checkpoint)),
            Err(BundleProofError::TooLarge)
        );
        let text = String::from_utf8(full.bare().to_bytes()).unwrap();
        let long = text.replace("c2sp.org/tlog-proof@v1", &"x".repeat(PROOF_BYTES_MAX));
        let refused = Bundle::parse(long.as_bytes()).unwrap_err();
        assert_eq!(refused.code(), "proof_malformed");
    }
}
