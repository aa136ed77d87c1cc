//! What the authors of a component wrote of its functions: the custom section `package-docs`, where a tool put one.
//!
//! It is their text, and nothing follows from it but a description.

use serde_json::Value;

use crate::limits;

const SECTION: &str = "package-docs";

/// The documentation of one component.
#[derive(Clone, Debug, Default)]
pub(crate) struct Docs(Value);

impl Docs {
    /// Of the section's JSON. What is no JSON documents nothing.
    pub(crate) fn parse(json: &[u8]) -> Self {
        Self(serde_json::from_slice(json).unwrap_or_default())
    }

    /// What is said of a function of `interface`, or of the world itself. The section says nothing of packages, so interfaces are found by
    /// their own names.
    pub(crate) fn function(&self, interface: Option<&str>, function: &str) -> Option<String> {
        let worlds = self.0.get("worlds").and_then(Value::as_object);
        let worlds = || worlds.into_iter().flat_map(|worlds| worlds.values());
        let within = |parent: &Value, key: &str, name: &str| text(parent.get(key)?.get(name)?);
        let found = match interface {
            None => worlds().find_map(|world| {
                let exported = within(world, "func_exports", function);
                exported.or_else(|| within(world, "funcs", function))
            }),
            Some(interface) => {
                let name = local_name(interface);
                let shared = self.0.get("interfaces").and_then(|all| all.get(name));
                let shared = shared.and_then(|of| within(of, "funcs", function));
                shared.or_else(|| {
                    worlds().find_map(|world| {
                        ["interface_exports", "interfaces"]
                            .iter()
                            .find_map(|key| within(world.get(*key)?.get(name)?, "funcs", function))
                    })
                })
            }
        };
        let mut found = found?;
        found.truncate(found.floor_char_boundary(limits::DESCRIPTION_BYTES_MAX));
        Some(found)
    }
}

/// Version 0 of the section has the text alone, version 1 an object with it.
fn text(documented: &Value) -> Option<String> {
    let text = documented
        .as_str()
        .or_else(|| documented.get("docs")?.as_str())?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// `api` of `acme:weather/api@1.0.0`.
fn local_name(interface: &str) -> &str {
    let name = interface
        .rsplit_once('/')
        .map_or(interface, |(_, name)| name);
    name.split_once('@').map_or(name, |(name, _)| name)
}

/// The section's JSON, if the component has one of a reasonable size. A component is a list of sections (id, size, content), and only those of
/// the outermost count: what is within belongs to others.
pub(crate) fn section(wasm: &[u8]) -> Option<&[u8]> {
    const CUSTOM: u8 = 0;
    // Magic number, version, layer.
    let mut rest = wasm.get(8..)?;
    loop {
        let (id, after) = rest.split_first()?;
        let (size, after) = leb128(after)?;
        let content = after.get(..size)?;
        rest = after.get(size..)?;
        if *id != CUSTOM {
            continue;
        }
        let (length, name) = leb128(content)?;
        if name.get(..length)? != SECTION.as_bytes() {
            continue;
        }
        // A version, then JSON.
        let (version, json) = name.get(length..)?.split_first()?;
        let is_read = *version <= 1 && json.len() <= limits::DOCS_BYTES_MAX;
        return is_read.then_some(json);
    }
}

fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_usize;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn functions_are_found_by_the_names_of_interfaces_and_worlds() {
        let docs = Docs::parse(
            json!({
                "worlds": {"w": {
                    "func_exports": {"root": {"docs": "of the world\n"}},
                    "interface_exports": {"inline": {"funcs": {"f": {"docs": "inline"}}}},
                }},
                "interfaces": {"api": {"docs": "no function", "funcs": {"f": "version 0", "g": {"docs": " "}}}},
            })
            .to_string()
            .as_bytes(),
        );
        let of = |interface, function| docs.function(interface, function);
        assert_eq!(of(None, "root").as_deref(), Some("of the world"));
        assert_eq!(of(Some("a:b/api@1.0.0"), "f").as_deref(), Some("version 0"));
        assert_eq!(of(Some("inline"), "f").as_deref(), Some("inline"));
        assert_eq!(of(Some("a:b/api@1.0.0"), "g"), None);
        assert_eq!(of(Some("a:b/other"), "f"), None);
        assert_eq!(of(None, "f"), None);
        assert_eq!(Docs::parse(b"{").function(None, "f"), None);
    }

    #[test]
    fn the_section_is_read_and_what_is_broken_is_none() {
        let mut wasm = b"\0asm\x0d\0\x01\0".to_vec();
        // Another section of two bytes first.
        wasm.extend([7, 2, 0, 0]);
        let content = b"\x0cpackage-docs\x01{}";
        wasm.push(0);
        wasm.push(content.len() as u8);
        wasm.extend(content);
        assert_eq!(section(&wasm), Some(&b"{}"[..]));
        for end in 0..wasm.len() {
            assert_eq!(section(&wasm[..end]), None, "{end}");
        }
        assert_eq!(section(b"\0asm\x0d\0\x01\0\0\xff\xff\xff\xff\xff"), None);
    }
}
