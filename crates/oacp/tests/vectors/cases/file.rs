//! Refused for what the file is, before anything is verified.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oacp::*;
use serde_json::json;

use super::*;

pub fn json(cases: &mut Cases) {
    let whole_bytes = whole();
    cases.refuse("json_truncated", "empty", "no bytes", vec![]);
    let half = whole_bytes[..whole_bytes.len() / 2].to_vec();
    cases.refuse("json_truncated", "truncated", "the first half", half);
    let one_less = whole_bytes[..whole_bytes.len() - 1].to_vec();
    cases.refuse(
        "json_truncated",
        "truncated_by_one",
        "the last byte is missing",
        one_less,
    );
    let twice = replaced("\"type\":", "\"type\":\"x\",\"type\":");
    cases.refuse(
        "json_duplicate_key",
        "duplicate_key",
        "the type twice, the second time right",
        twice,
    );
    let twice = replaced("\"payload\":", "\"p\\u0061yload\":\"e30=\",\"payload\":");
    cases.refuse(
        "json_duplicate_key",
        "duplicate_key_escaped",
        "the payload twice, once escaped",
        twice,
    );
    let reserved = replaced(
        "\"type\":",
        "\"$serde_json::private::\\u0052awValue\":\"{}\",\"type\":",
    );
    cases.refuse(
        "json_reserved_key",
        "reserved_key",
        "a key behind which a reader takes text for JSON, once escaped",
        reserved,
    );
    let trailing = [whole_bytes.as_slice(), b"{}"].concat();
    cases.refuse(
        "json_trailing_bytes",
        "trailing_value",
        "a second value",
        trailing,
    );
    let trailing = [whole_bytes.as_slice(), b"\0"].concat();
    cases.refuse(
        "json_trailing_bytes",
        "trailing_nul",
        "a NUL after the value",
        trailing,
    );
    let marked = [b"\xef\xbb\xbf".as_slice(), &Case::new().bare().to_bytes()].concat();
    cases.refuse(
        "json_byte_order_mark",
        "byte_order_mark",
        "a byte order mark",
        marked,
    );
    let invalid = [b"{\"type\":\"".as_slice(), b"\xc3\x28", b"\"}"].concat();
    cases.refuse(
        "json_not_utf8",
        "invalid_utf8",
        "an invalid sequence",
        invalid,
    );
    let surrogate = b"{\"type\":\"\xed\xa0\x80\"}".to_vec();
    cases.refuse(
        "json_not_utf8",
        "surrogate_utf8",
        "a surrogate as three bytes",
        surrogate,
    );
    let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    cases.refuse("json_syntax", "utf16", "UTF-16, which has NUL bytes", utf16);
    let lone = replaced("\"type\":\"", "\"type\":\"\\ud800");
    cases.refuse(
        "json_lone_surrogate",
        "lone_surrogate",
        "half of a pair, escaped",
        lone,
    );
    let control = replaced("\"type\":\"", "\"type\":\"\n");
    cases.refuse(
        "json_syntax",
        "control_character",
        "a newline in a string",
        control,
    );
    let nul = replaced("\"type\":\"", "\"type\":\"\0");
    cases.refuse("json_syntax", "nul", "a NUL in a string", nul);
    let bomb = [b"{\"type\":".as_slice(), &b"[".repeat(5_000)].concat();
    cases.refuse(
        "json_too_deep",
        "depth_bomb",
        "5,000 arrays, none closed",
        bomb,
    );
    let deep = format!("{{\"type\":{}1{}}}", "[".repeat(64), "]".repeat(64)).into_bytes();
    cases.refuse("json_too_deep", "depth_65", "65 deep, and complete", deep);
    let deepest = format!("{{\"type\":{}1{}}}", "[".repeat(63), "]".repeat(63)).into_bytes();
    cases.refuse(
        "json_shape",
        "depth_64",
        "64 deep is admitted, and no bundle",
        deepest,
    );
    let integer = replaced("\"type\":", "\"n\":9007199254740992,\"type\":");
    cases.refuse("json_integer_range", "big_integer", "2^53", integer);
    let integer = replaced("\"type\":", "\"n\":-9007199254740993,\"type\":");
    cases.refuse(
        "json_integer_range",
        "big_negative_integer",
        "−2^53 − 1",
        integer,
    );
    let float = replaced("\"type\":", "\"n\":1e400,\"type\":");
    cases.refuse(
        "json_number_range",
        "big_float",
        "a number that no double can hold",
        float,
    );
    let comment = replaced("\"type\":", "/* */\"type\":");
    cases.refuse("json_syntax", "comment", "a comment", comment);
    let comma = replaced("]}", "],}");
    cases.refuse(
        "json_syntax",
        "trailing_comma",
        "a comma before the end",
        comma,
    );
    cases.refuse("json_shape", "array", "an array", b"[]".to_vec());
    let large = Case::new().bare().to_bytes();
    cases
        .refuse(
            "json_too_large",
            "too_large",
            "spaces up to a byte over 256 MiB",
            large,
        )
        .pad = (256 << 20) + 1;
    let last = cases.0.last_mut().unwrap();
    last.pad -= last.bytes.len();
}

pub fn format(cases: &mut Cases) {
    let version = edited(|value| value["type"] = json!(format!("{PREDICATE_PREFIX}bundle/v2")));
    cases.refuse("unknown_version", "bundle_v2", "a later bundle", version);
    let version = edited(|value| {
        value["type"] = json!(format!("{PREDICATE_PREFIX}bundle/v2"));
        value["later"] = json!(1);
    });
    cases.refuse(
        "unknown_version",
        "bundle_v2_field",
        "a later bundle with a later field",
        version,
    );
    cases.refuse(
        "json_shape",
        "bundle_field",
        "an unknown field",
        edited(|value| value["later"] = json!(1)),
    );
    cases.refuse(
        "json_shape",
        "evidence",
        "evidence, which this version cannot appraise",
        edited(|value| value["evidence"] = json!(["x"])),
    );
    let none = edited(|value| value["envelope"]["signatures"] = json!([]));
    cases.refuse("signature_count", "no_signature", "no signature", none);
    let two = edited(|value| {
        let one = value["envelope"]["signatures"][0].clone();
        value["envelope"]["signatures"]
            .as_array_mut()
            .unwrap()
            .push(one);
    });
    cases.refuse(
        "signature_count",
        "two_signatures",
        "the right signature twice",
        two,
    );
    let no_keyid = edited(|value| {
        drop(
            value["envelope"]["signatures"][0]
                .as_object_mut()
                .unwrap()
                .remove("keyid"),
        )
    });
    cases.refuse(
        "json_shape",
        "no_keyid",
        "a signature without key id",
        no_keyid,
    );
    let unpadded = edited(|value| {
        let sig = &mut value["envelope"]["signatures"][0]["sig"];
        *sig = json!(sig.as_str().unwrap().trim_end_matches('='));
    });
    cases.refuse(
        "base64",
        "base64_unpadded",
        "base64 without its padding",
        unpadded,
    );
    let stray = edited(|value| {
        let sig = &mut value["envelope"]["signatures"][0]["sig"];
        // 64 bytes leave four bits over in the last digit before the padding.
        let text = sig.as_str().unwrap();
        let digit = text.as_bytes()[text.len() - 3];
        *sig = json!(format!(
            "{}{}==",
            &text[..text.len() - 3],
            char::from(digit + 1)
        ));
    });
    cases.refuse(
        "base64",
        "base64_stray_bits",
        "base64 with bits after the last byte",
        stray,
    );
    let url = edited(|value| {
        let payload = &mut value["envelope"]["payload"];
        let url = payload
            .as_str()
            .unwrap()
            .replace('+', "-")
            .replace('/', "_");
        *payload = json!(format!("-{}", &url[1..]));
    });
    cases.refuse("base64", "base64_url", "the URL alphabet", url);
    let newline = edited(|value| {
        let payload = &mut value["envelope"]["payload"];
        *payload = json!(format!("{}\n", payload.as_str().unwrap()));
    });
    cases.refuse(
        "base64",
        "base64_newline",
        "a newline after the base64",
        newline,
    );
    let short =
        edited(|value| value["envelope"]["signatures"][0]["sig"] = json!(STANDARD.encode([0; 63])));
    cases.refuse(
        "base64",
        "short_signature",
        "a signature of 63 bytes",
        short,
    );
    let salt = edited(|value| value["recording"]["salt_key"] = json!(STANDARD.encode([3; 31])));
    cases.refuse("base64", "short_salt_key", "a salt key of 31 bytes", salt);
    let upper = edited(|value| {
        let keyid = &mut value["envelope"]["signatures"][0]["keyid"];
        *keyid = json!(keyid.as_str().unwrap().to_uppercase());
    });
    cases.refuse(
        "json_shape",
        "keyid_uppercase",
        "a key id in upper-case hex",
        upper,
    );
    let upper = edited(|value| {
        let blobs = value["blobs"].as_object_mut().unwrap();
        let (digest, blob) = blobs
            .iter()
            .min_by_key(|(digest, _)| *digest)
            .map(|(digest, blob)| (digest.clone(), blob.clone()))
            .unwrap();
        blobs.remove(&digest);
        blobs.insert(digest.to_uppercase().replace("SHA256", "sha256"), blob);
    });
    cases.refuse(
        "json_shape",
        "digest_uppercase",
        "a digest in upper-case hex",
        upper,
    );
    let bare = edited(|value| {
        let blobs = value["blobs"].as_object_mut().unwrap();
        blobs.insert(Digest::of(b"").hex(), json!(""));
    });
    cases.refuse(
        "json_shape",
        "digest_bare",
        "a digest without its algorithm",
        bare,
    );
    let unsorted = edited(|value| value["private"].as_array_mut().unwrap().reverse());
    cases.refuse(
        "private_mismatch",
        "private_unsorted",
        "private content listed in another order",
        unsorted,
    );
    let twice = edited(|value| {
        value["private"]
            .as_array_mut()
            .unwrap()
            .push(json!("source"))
    });
    cases.refuse(
        "private_mismatch",
        "private_twice",
        "private content listed twice",
        twice,
    );
    let traversal = edited(|value| {
        let source = &mut value["source"];
        let digest = source["files"]["main.py"].clone();
        *source = json!({ "entry": "../main.py", "files": { "../main.py": digest } });
    });
    cases.refuse(
        "json_shape",
        "source_traversal",
        "a source path that leaves its directory",
        traversal,
    );
    let both = edited(|value| {
        let digest = value["source"]["files"]["main.py"].clone();
        value["source"]["files"]["main.py/x"] = digest;
    });
    cases.refuse(
        "source_malformed",
        "source_file_as_directory",
        "a path that is a file and a directory",
        both,
    );
    let entry = edited(|value| value["source"]["entry"] = json!("other.py"));
    cases.refuse(
        "source_malformed",
        "source_without_entry",
        "the entry is not among the files",
        entry,
    );
}
