//! Headers, as guests build and read them.

use oacp::http::{Request, RequestError};
use oacp::limits::{HEADERS_MAX, REQUEST_HEAD_BYTES_MAX};
use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::bindings::http::types;
use wasmtime_wasi_http::p2::{HeaderError, HeaderResult};

use super::room::{Held, NoRoom};
use super::{borrowed, owned};
use crate::limits;
use crate::state::State;
use crate::tape::Halt;

/// Names as the guest writes them, and values, in order.
pub(super) struct Fields {
    entries: Vec<(String, Vec<u8>)>,
    access: Access,
    held: Held,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Mutable,
    Immutable,
}

/// Why headers do not change.
enum FieldsError {
    Guest(types::HeaderError),
    /// There is no word for it in the interface, so it ends the run.
    Limit(String),
}

impl From<NoRoom> for FieldsError {
    fn from(no_room: NoRoom) -> Self {
        Self::Limit(no_room.to_string())
    }
}

/// What an entry takes of the room.
fn bytes(name: &str, value: &[u8]) -> usize {
    limits::HTTP_FIELD_BYTES + name.len() + value.len()
}

impl Fields {
    fn new(held: Held) -> Self {
        Self {
            entries: Vec::new(),
            access: Access::Mutable,
            held,
        }
    }

    /// A response's: each character of a value is a byte.
    fn of_response(headers: Vec<(String, String)>, held: Held) -> Result<Self, NoRoom> {
        let mut fields = Self::new(held);
        for (name, value) in headers {
            let value: Vec<u8> = value
                .chars()
                .map(|c| u8::try_from(c).unwrap_or(b'?'))
                .collect();
            fields.held.take(bytes(&name, &value))?;
            fields.entries.push((name, value));
        }
        fields.access = Access::Immutable;
        Ok(fields)
    }

    /// A copy that cannot be changed.
    pub(super) fn shown(&self) -> Result<Self, NoRoom> {
        self.copy(Access::Immutable)
    }

    fn copy(&self, access: Access) -> Result<Self, NoRoom> {
        let mut held = self.held.another();
        held.take(self.entries.iter().map(|(n, v)| bytes(n, v)).sum())?;
        Ok(Self {
            entries: self.entries.clone(),
            access,
            held,
        })
    }

    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Vec<u8>> {
        self.entries
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// As `oacp::http` takes them: each byte of a value is a character.
    pub(super) fn into_headers(mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.entries)
            .into_iter()
            .map(|(name, value)| (name, latin1(&value)))
            .collect()
    }

    fn append(&mut self, name: &str, value: Vec<u8>) -> Result<(), FieldsError> {
        self.check_mutable()?;
        check(name, &value)?;
        let all: usize = self.entries.iter().map(|(n, v)| n.len() + v.len()).sum();
        if self.entries.len() >= HEADERS_MAX
            || all + name.len() + value.len() > REQUEST_HEAD_BYTES_MAX
        {
            return Err(FieldsError::Limit(format!(
                "the limit of {HEADERS_MAX} headers and {REQUEST_HEAD_BYTES_MAX} bytes of them is reached"
            )));
        }
        self.held.take(bytes(name, &value))?;
        self.entries.push((name.to_owned(), value));
        Ok(())
    }

    /// All or nothing.
    fn set(&mut self, name: &str, values: Vec<Vec<u8>>) -> Result<(), FieldsError> {
        self.check_mutable()?;
        check(name, b"")?;
        for value in &values {
            check(name, value)?;
        }
        self.remove(name);
        values
            .into_iter()
            .try_for_each(|value| self.append(name, value))
    }

    fn delete(&mut self, name: &str) -> Result<(), FieldsError> {
        self.check_mutable()?;
        check(name, b"")?;
        self.remove(name);
        Ok(())
    }

    fn remove(&mut self, name: &str) {
        let held = &mut self.held;
        self.entries.retain(|(n, value)| {
            let stays = !n.eq_ignore_ascii_case(name);
            if !stays {
                held.give_back(bytes(n, value));
            }
            stays
        });
    }

    fn check_mutable(&self) -> Result<(), FieldsError> {
        match self.access {
            Access::Mutable => Ok(()),
            Access::Immutable => Err(FieldsError::Guest(types::HeaderError::Immutable)),
        }
    }
}

fn latin1(value: &[u8]) -> String {
    value.iter().copied().map(char::from).collect()
}

/// Whether a guest may set it, as a request that has no other header says.
fn check(name: &str, value: &[u8]) -> Result<(), FieldsError> {
    let header = (name.to_owned(), latin1(value));
    let error = match Request::new("GET", "http://localhost/", &[header], Vec::new()) {
        Ok(_) if ["connection", "keep-alive"].contains(&name.to_ascii_lowercase().as_str()) => {
            types::HeaderError::Forbidden
        }
        // The length is compared with the body's when there is one.
        Ok(_) | Err(RequestError::ContentLength { .. }) => return Ok(()),
        Err(RequestError::HeaderRefused { .. } | RequestError::Host { .. }) => {
            types::HeaderError::Forbidden
        }
        Err(_) => types::HeaderError::InvalidSyntax,
    };
    Err(FieldsError::Guest(error))
}

impl State {
    fn fields(&self, fields: &Resource<types::Fields>) -> wasmtime::Result<&Fields> {
        Ok(self.table.get(&borrowed(fields))?)
    }

    /// Takes headers from the guest, for good.
    pub(super) fn take_fields(
        &mut self,
        fields: Resource<types::Fields>,
    ) -> wasmtime::Result<Fields> {
        let mut fields: Fields = self.table.delete(owned(fields))?;
        fields.access = Access::Immutable;
        Ok(fields)
    }

    pub(super) fn response_fields(
        &mut self,
        headers: Vec<(String, String)>,
    ) -> wasmtime::Result<Fields> {
        let fields = Fields::of_response(headers, self.http.room.part());
        self.within_room(fields)
    }

    /// Hands the guest a copy.
    pub(super) fn show_fields(
        &mut self,
        copy: Result<Fields, NoRoom>,
    ) -> wasmtime::Result<Resource<types::Fields>> {
        let copy = self.within_room(copy)?;
        Ok(owned(self.table.push(copy)?))
    }

    fn within_room<T>(&mut self, result: Result<T, NoRoom>) -> wasmtime::Result<T> {
        self.halted(result.map_err(|no_room| Halt::Limit(no_room.to_string())))
    }

    fn changed<T>(&mut self, result: Result<T, FieldsError>) -> HeaderResult<T> {
        result.map_err(|error| match error {
            FieldsError::Guest(error) => error.into(),
            FieldsError::Limit(limit) => {
                self.halt = Some(Halt::Limit(limit));
                HeaderError::trap(wasmtime::Error::msg("the host ended the run"))
            }
        })
    }

    fn change(
        &mut self,
        fields: &Resource<types::Fields>,
        change: impl FnOnce(&mut Fields) -> Result<(), FieldsError>,
    ) -> HeaderResult<()> {
        let changed = change(self.table.get_mut(&borrowed(fields))?);
        self.changed(changed)
    }
}

impl types::HostFields for State {
    fn new(&mut self) -> wasmtime::Result<Resource<types::Fields>> {
        let fields = Fields::new(self.http.room.part());
        Ok(owned(self.table.push(fields)?))
    }

    fn from_list(
        &mut self,
        entries: Vec<(String, Vec<u8>)>,
    ) -> HeaderResult<Resource<types::Fields>> {
        let mut fields = Fields::new(self.http.room.part());
        let filled = entries
            .into_iter()
            .try_for_each(|(name, value)| fields.append(&name, value));
        self.changed(filled)?;
        Ok(owned(self.table.push(fields)?))
    }

    fn get(
        &mut self,
        fields: Resource<types::Fields>,
        name: String,
    ) -> wasmtime::Result<Vec<Vec<u8>>> {
        Ok(self.fields(&fields)?.values(&name).cloned().collect())
    }

    fn has(&mut self, fields: Resource<types::Fields>, name: String) -> wasmtime::Result<bool> {
        Ok(self.fields(&fields)?.values(&name).next().is_some())
    }

    fn set(
        &mut self,
        fields: Resource<types::Fields>,
        name: String,
        values: Vec<Vec<u8>>,
    ) -> HeaderResult<()> {
        self.change(&fields, |fields| fields.set(&name, values))
    }

    fn delete(&mut self, fields: Resource<types::Fields>, name: String) -> HeaderResult<()> {
        self.change(&fields, |fields| fields.delete(&name))
    }

    fn append(
        &mut self,
        fields: Resource<types::Fields>,
        name: String,
        value: Vec<u8>,
    ) -> HeaderResult<()> {
        self.change(&fields, |fields| fields.append(&name, value))
    }

    fn entries(
        &mut self,
        fields: Resource<types::Fields>,
    ) -> wasmtime::Result<Vec<(String, Vec<u8>)>> {
        Ok(self.fields(&fields)?.entries.clone())
    }

    fn clone(
        &mut self,
        fields: Resource<types::Fields>,
    ) -> wasmtime::Result<Resource<types::Fields>> {
        let copy = self.fields(&fields)?.copy(Access::Mutable);
        self.show_fields(copy)
    }

    fn drop(&mut self, fields: Resource<types::Fields>) -> wasmtime::Result<()> {
        self.table.delete::<Fields>(owned(fields))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::room::Room;
    use super::*;

    fn fields() -> Fields {
        Fields::new(Room::default().part())
    }

    fn refused(name: &str, value: &[u8]) -> Option<types::HeaderError> {
        match fields().append(name, value.to_vec()) {
            Err(FieldsError::Guest(error)) => Some(error),
            _ => None,
        }
    }

    #[test]
    fn what_is_the_connections_is_forbidden_and_what_is_no_header_is_no_header() {
        use types::HeaderError::{Forbidden, InvalidSyntax};
        for name in [
            "Host",
            "connection",
            "Transfer-Encoding",
            "upgrade",
            "proxy-authorization",
            "x-forwarded-for",
            ":authority",
        ] {
            assert!(matches!(refused(name, b"x"), Some(Forbidden)), "{name}");
        }
        for (name, value) in [("", "x"), ("a b", "x"), ("a", "b\r\nc"), ("a", "\0")] {
            let error = refused(name, value.as_bytes());
            assert!(matches!(error, Some(InvalidSyntax)), "{name}");
        }
        for (name, value) in [("Accept", "*/*"), ("content-length", "7"), ("x", "\u{e9}")] {
            assert!(refused(name, value.as_bytes()).is_none(), "{name}");
        }
    }

    #[test]
    fn names_are_equal_in_any_case_and_keep_theirs() {
        let mut fields = fields();
        fields.append("X-A", b"1".to_vec()).ok().unwrap();
        fields.append("x-a", b"2".to_vec()).ok().unwrap();
        assert_eq!(fields.values("x-A").count(), 2);
        fields.set("x-a", vec![b"3".to_vec()]).ok().unwrap();
        assert_eq!(fields.entries, [("x-a".to_owned(), b"3".to_vec())]);
        fields.delete("X-A").ok().unwrap();
        assert!(fields.entries.is_empty());
        assert_eq!(fields.held.left(), limits::HTTP_HELD_BYTES_MAX);
    }

    #[test]
    fn headers_are_bounded_and_those_of_a_response_do_not_change() {
        let mut fields = fields();
        for _ in 0..HEADERS_MAX {
            fields.append("a", b"b".to_vec()).ok().unwrap();
        }
        let more = fields.append("a", b"b".to_vec());
        assert!(matches!(more, Err(FieldsError::Limit(_))));
        let mut copy = fields.copy(Access::Immutable).unwrap();
        let change = copy.delete("a");
        assert!(matches!(
            change,
            Err(FieldsError::Guest(types::HeaderError::Immutable))
        ));
    }
}
