//! Undoes a reply's content encoding.
//!
//! Attack: a decompression bomb, 16 KiB that become 16 MiB, or a thousand times that with two encodings one in the other. So
//! what comes out is bounded as it comes, and only one encoding is undone.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use hyper::HeaderMap;
use hyper::header::CONTENT_ENCODING;
use oacp::http::ExchangeError;
use oacp::limits::RESPONSE_BODY_BYTES_MAX;

use crate::failure;

/// What is asked for, and undone.
pub(crate) const ACCEPTED: &str = "gzip, deflate";

/// How much of the output is made at once.
const STEP_BYTES: usize = 64 << 10;

/// A content encoding that is undone. Others are the guest's to undo, as they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Gzip,
    Deflate,
}

impl Encoding {
    /// The encoding that a reply says it has, if it is one to be undone.
    ///
    /// # Errors
    /// If it says several.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, ExchangeError> {
        let mut words = headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .filter(|word| !word.is_empty() && !word.eq_ignore_ascii_case(b"identity"));
        let word = words.next();
        if words.next().is_some() {
            return Err(failure::protocol(
                "the reply has one content encoding in another",
            ));
        }
        Ok(match word.map(<[u8]>::to_ascii_lowercase).as_deref() {
            Some(b"gzip" | b"x-gzip") => Some(Self::Gzip),
            Some(b"deflate") => Some(Self::Deflate),
            _ => None,
        })
    }

    /// The body without its encoding.
    ///
    /// # Errors
    /// If it is damaged, ends early, goes on after its end, or is larger than [`RESPONSE_BODY_BYTES_MAX`].
    pub(crate) fn undo(self, body: &[u8]) -> Result<Vec<u8>, ExchangeError> {
        match self {
            Self::Gzip => gunzip(body),
            Self::Deflate => inflate(body),
        }
    }
}

fn gunzip(body: &[u8]) -> Result<Vec<u8>, ExchangeError> {
    let mut plain = Vec::new();
    let most = u64::try_from(RESPONSE_BODY_BYTES_MAX).unwrap_or(u64::MAX);
    MultiGzDecoder::new(body)
        .take(most.saturating_add(1))
        .read_to_end(&mut plain)
        .map_err(|_| damaged())?;
    bounded(plain)
}

/// RFC 9110 means zlib's format by `deflate`; some servers send the bare stream.
fn inflate(body: &[u8]) -> Result<Vec<u8>, ExchangeError> {
    let is_zlib = matches!(body, [method, flags, ..]
        if method & 15 == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0);
    let mut stream = Decompress::new(is_zlib);
    let mut plain = Vec::new();
    let mut rest = body;
    loop {
        plain.reserve(STEP_BYTES);
        let (taken, made) = (stream.total_in(), stream.total_out());
        let status = stream
            .decompress_vec(rest, &mut plain, FlushDecompress::None)
            .map_err(|_| damaged())?;
        let taken = usize::try_from(stream.total_in() - taken).unwrap_or(usize::MAX);
        rest = rest.get(taken..).unwrap_or_default();
        if plain.len() > RESPONSE_BODY_BYTES_MAX {
            return bounded(plain);
        }
        match status {
            Status::StreamEnd if rest.is_empty() => return bounded(plain),
            Status::StreamEnd => return Err(damaged()),
            Status::Ok | Status::BufError => {
                if taken == 0 && stream.total_out() == made {
                    return Err(damaged());
                }
            }
        }
    }
}

fn bounded(plain: Vec<u8>) -> Result<Vec<u8>, ExchangeError> {
    if plain.len() > RESPONSE_BODY_BYTES_MAX {
        return Err(failure::limit(format!(
            "the reply's body has more than {RESPONSE_BODY_BYTES_MAX} bytes once it is decompressed"
        )));
    }
    Ok(plain)
}

fn damaged() -> ExchangeError {
    failure::protocol("the reply's content encoding is damaged")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use hyper::header::HeaderValue;

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(vec![], Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(plain: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(vec![], Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn bare(plain: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(vec![], Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn encoding(values: &[&'static str]) -> Option<Option<Encoding>> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_ENCODING, HeaderValue::from_static(value));
        }
        Encoding::of(&headers).ok()
    }

    #[test]
    fn one_known_encoding_is_undone() {
        assert_eq!(encoding(&[]), Some(None));
        assert_eq!(encoding(&["GZip"]), Some(Some(Encoding::Gzip)));
        assert_eq!(encoding(&["x-gzip"]), Some(Some(Encoding::Gzip)));
        assert_eq!(
            encoding(&["identity, deflate ,"]),
            Some(Some(Encoding::Deflate))
        );
        assert_eq!(encoding(&["br"]), Some(None));
        assert_eq!(encoding(&["gzip, gzip"]), None);
        assert_eq!(encoding(&["gzip", "br"]), None);
        assert_eq!(encoding(&["br", "deflate"]), None);
    }

    #[test]
    fn bodies_come_back_and_damage_is_noticed() {
        let random: Vec<u8> = (0..300_000u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        for plain in [b"".as_slice(), b"a", b"hello hello hello", &random] {
            for (encoding, encoded) in [
                (Encoding::Gzip, gzip(plain)),
                (Encoding::Deflate, zlib(plain)),
                (Encoding::Deflate, bare(plain)),
            ] {
                assert_eq!(encoding.undo(&encoded).unwrap(), plain);
                let cut = encoded.get(..encoded.len() - 1).unwrap();
                assert!(
                    encoding.undo(cut).is_err(),
                    "{encoding:?} of {} bytes, cut",
                    plain.len()
                );
                let longer = [encoded.as_slice(), b"x"].concat();
                assert!(
                    encoding.undo(&longer).is_err(),
                    "{encoding:?} of {} bytes, with more",
                    plain.len()
                );
            }
        }
        for garbage in [b"".as_slice(), b"not compressed", b"\x1f\x8b\x08"] {
            assert!(Encoding::Gzip.undo(garbage).is_err());
            assert!(Encoding::Deflate.undo(garbage).is_err());
        }
    }

    #[test]
    fn the_most_is_let_through_and_one_byte_more_is_not() {
        for more in [0, 1] {
            let plain = vec![0; RESPONSE_BODY_BYTES_MAX + more];
            for (encoding, encoded) in [
                (Encoding::Gzip, gzip(&plain)),
                (Encoding::Deflate, zlib(&plain)),
            ] {
                assert_eq!(encoding.undo(&encoded).is_ok(), more == 0);
            }
        }
    }
}
