//! Systems on which files cannot be opened safely yet: nothing is there. Replays need none of this.

use std::io;
use std::path::PathBuf;

use oacp::capability::{Grant, GuestPath};
use oacp::digest::Digest;
use oacp::event::Found;

use super::super::{Access, Kind};
use super::Fact;

pub(in super::super) struct Host;

#[derive(Default)]
pub(in super::super) struct Held;

pub(in super::super) enum Place {}

pub(in super::super) enum Staged {}

impl Host {
    pub(in super::super) fn new(_: &Grant, _: &[PathBuf]) -> Self {
        Self
    }

    pub(in super::super) fn add(&mut self, _: &GuestPath, _: &str) {}

    pub(in super::super) fn look(&self, _: &GuestPath, _: Access, _: impl Fn(u64) -> bool) -> Fact {
        Fact::Status(Found::Unreadable, 0)
    }

    pub(in super::super) fn list(
        &self,
        _: &GuestPath,
        _: impl Fn(&GuestPath) -> bool,
    ) -> Vec<(String, Kind)> {
        Vec::new()
    }

    pub(in super::super) fn place(&self, _: &GuestPath, _: &mut Held) -> io::Result<Place> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in super::super) fn own_place(&self, _: &GuestPath, _: &mut Held) -> io::Result<Place> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Place {
    pub(in super::super) fn digest(&self) -> io::Result<Option<Digest>> {
        match *self {}
    }

    pub(in super::super) fn is_directory(&self) -> io::Result<bool> {
        match *self {}
    }

    pub(in super::super) fn names(&self) -> io::Result<Vec<Option<String>>> {
        match *self {}
    }

    pub(in super::super) fn stage(self, _: &[u8]) -> io::Result<Staged> {
        match self {}
    }

    pub(in super::super) fn make_directory(&self) -> io::Result<()> {
        match *self {}
    }

    pub(in super::super) fn remove(&self) -> io::Result<()> {
        match *self {}
    }

    pub(in super::super) fn remove_directory(&self) -> io::Result<()> {
        match *self {}
    }
}

impl Staged {
    pub(in super::super) fn commit(self) -> io::Result<()> {
        match self {}
    }
}
