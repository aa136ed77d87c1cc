//! Refused for who signed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oacp::*;
use serde_json::{Value, json};

use super::*;

pub fn keys(cases: &mut Cases) {
    let foreign = signed_bare(|case| {
        case.node = key(9);
        case.settle();
    });
    cases.refuse(
        "foreign_node_key",
        "foreign_node",
        "the delegation is signed by a node that is not trusted",
        foreign,
    );
    let nobody = Case::new().bare().to_bytes();
    cases
        .refuse(
            "foreign_node_key",
            "nobody_trusted",
            "a trust file without nodes",
            nobody,
        )
        .trust = trust_json(&[]);
    let claimed = {
        // Signed by another node, under the trusted node's key id.
        let case = Case::new();
        let mut value: Value = serde_json::from_slice(&case.bare().to_bytes()).unwrap();
        let forged: Value =
            serde_json::from_slice(&case.delegation.sign(&key(9)).to_json()).unwrap();
        value["delegation"]["signatures"][0]["sig"] = forged["signatures"][0]["sig"].clone();
        text(value)
    };
    cases.refuse(
        "delegation_signature",
        "delegation_forged",
        "a delegation by another node, under the trusted key id",
        claimed,
    );
    let by_sandbox = {
        let case = Case::new();
        Bundle::new(case.envelope(), case.delegation.sign(&case.sandbox)).to_bytes()
    };
    cases.refuse(
        "foreign_node_key",
        "delegation_by_sandbox",
        "a sandbox that delegates to itself",
        by_sandbox,
    );
    let swapped = {
        let case = Case::new();
        Bundle::new(case.delegation.sign(&case.node), case.envelope()).to_bytes()
    };
    cases.refuse(
        "foreign_node_key",
        "envelopes_swapped",
        "statement and delegation in each other's place",
        swapped,
    );
    let foreign = signed_bare(|case| case.sandbox = key(8));
    cases.refuse(
        "foreign_sandbox_key",
        "foreign_sandbox",
        "a statement by a key that was not delegated to",
        foreign,
    );
    let by_node = signed_bare(|case| case.sandbox = key(1));
    cases.refuse(
        "foreign_sandbox_key",
        "statement_by_node",
        "a statement by the node itself",
        by_node,
    );
    let keyid =
        edited(|value| value["envelope"]["signatures"][0]["keyid"] = json!(key(8).public().id()));
    cases.refuse(
        "foreign_sandbox_key",
        "keyid_wrong",
        "the right signature under another key id",
        keyid,
    );
    let forged = {
        let case = Case::new();
        let mut value: Value = serde_json::from_slice(&case.bare().to_bytes()).unwrap();
        let forged = Envelope::sign(PAYLOAD_TYPE, case.statement.to_payload(), &key(8));
        value["envelope"]["signatures"][0]["sig"] = json!(STANDARD.encode(forged.signature()));
        text(value)
    };
    cases.refuse(
        "statement_signature",
        "statement_forged",
        "another key's signature under the right key id",
        forged,
    );
    let altered = edited(|value| {
        let mut statement = Case::new().statement;
        statement.outcome = Outcome::GuestError;
        value["envelope"]["payload"] = json!(STANDARD.encode(statement.to_payload()));
    });
    cases.refuse(
        "statement_signature",
        "statement_altered",
        "a statement altered after signing",
        altered,
    );
    let malleable = edited(|value| {
        // S + L is the same scalar: verifiers that do not insist on S < L accept a second
        // signature.
        const L: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
            0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let mut signature = *Case::new().envelope().signature();
        let mut carry = 0;
        for (byte, add) in signature[32..].iter_mut().zip(L) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = sum as u8;
            carry = sum >> 8;
        }
        value["envelope"]["signatures"][0]["sig"] = json!(STANDARD.encode(signature));
    });
    cases.refuse(
        "statement_signature",
        "signature_malleable",
        "S + L in place of S",
        malleable,
    );
    let two_roles = signed_bare(|case| {
        case.delegation.key = key(5).public();
        case.sandbox = key(5);
        case.settle();
    });
    let other = TrustedNode {
        name: "other".to_owned(),
        ..trusted(5)
    };
    cases
        .refuse(
            "key_in_two_roles",
            "key_in_two_roles",
            "the sandbox's key is another node's",
            two_roles,
        )
        .trust = trust_json(&[trusted(1), other]);
    let own = signed_bare(|case| {
        case.delegation.key = key(1).public();
        case.sandbox = key(1);
        case.settle();
    });
    cases.refuse(
        "key_in_two_roles",
        "key_in_two_roles_own",
        "the sandbox's key is its node's",
        own,
    );
    let weak = delegation(|value| {
        let spki = [
            key(2).public().to_spki()[..12].to_vec(),
            vec![1],
            vec![0; 31],
        ]
        .concat();
        value["predicate"]["key"] = json!(STANDARD.encode(&spki));
        value["subject"][0]["digest"]["sha256"] = json!(Digest::of(&spki).hex());
    });
    cases.refuse(
        "statement_shape",
        "weak_key",
        "a delegation to a key of small order",
        weak,
    );
    let revoked = TrustedNode {
        revoked: Some(Revoked {
            tree_size: 10,
            log: None,
        }),
        ..trusted(1)
    };
    let bare = || Case::new().bare().to_bytes();
    cases
        .refuse(
            "node_revoked",
            "node_revoked",
            "the node is revoked, and no proof says this was earlier",
            bare(),
        )
        .trust = trust_json(&[revoked]);
    let subject = delegation(|value| value["subject"][0]["name"] = json!("another"));
    cases.refuse(
        "delegation_subject",
        "delegation_subject",
        "a delegation about something else",
        subject,
    );
    let version = delegation(|value| {
        value["predicateType"] = json!(format!("{PREDICATE_PREFIX}delegation/v2"))
    });
    cases.refuse(
        "unknown_version",
        "delegation_v2",
        "a later delegation",
        version,
    );
    let critical = delegation(|value| value["predicate"]["critical"] = json!(["tenant"]));
    cases.refuse(
        "unknown_critical",
        "delegation_critical",
        "a delegation with a critical field that is not known",
        critical,
    );
    let retyped = {
        let mut case = Case::new();
        let payload = case
            .delegation
            .sign(&case.node)
            .unverified_payload()
            .to_vec();
        let envelope = Envelope::sign("application/json", payload, &case.node);
        case.statement.previous = envelope.pae_digest();
        Bundle::new(case.envelope(), envelope).to_bytes()
    };
    cases.refuse(
        "delegation_payload_type",
        "delegation_payload_type",
        "a delegation signed as another payload type",
        retyped,
    );
}
