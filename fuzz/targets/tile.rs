//! Tiles: a path has one spelling and leads nowhere else; a bundle is written as it was read; an edge comes only from tiles that
//! fit together.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oacp_tlog::{Edge, Tile, TileKind, decode_bundle, encode_entry, leaf_hash};

fuzz_target!(|data: &[u8]| {
    if let Some((text, tile)) = str::from_utf8(data)
        .ok()
        .and_then(|text| Some((text, text.parse::<Tile>().ok()?)))
    {
        assert_eq!(tile.to_string(), text);
        assert!(
            text.split('/')
                .all(|segment| !matches!(segment, "" | "." | ".."))
        );
        assert!(tile.start() < tile.end());
        assert_eq!(tile.width_at(tile.end()), tile.width());
        assert_eq!(Tile::at(tile.kind(), tile.index(), tile.end()), Some(tile));
    }
    let Ok(entries) = decode_bundle(data) else {
        return;
    };
    let mut again = Vec::new();
    for entry in &entries {
        encode_entry(&mut again, entry).expect("what was read can be written");
    }
    assert_eq!(again, data);

    // A log of these entries; its edge comes back from the tiles that it wrote, and from no others.
    let mut edge = Edge::new();
    for entry in &entries {
        edge.push(entry).expect("as long as before");
    }
    let tiles = edge.take_changed();
    let read = |tile: Tile| {
        tiles
            .iter()
            .find(|(at, _)| *at == tile)
            .map(|(_, bytes)| bytes.clone())
            .ok_or(())
    };
    let again = Edge::from_tiles(edge.size(), read).expect("its own tiles");
    assert_eq!(again.root(), edge.root());
    let altered = |tile: Tile| {
        let mut bytes = read(tile)?;
        if tile.kind() == TileKind::Entries {
            *bytes.last_mut().ok_or(())? ^= 1;
        }
        Ok::<_, ()>(bytes)
    };
    if let Some(last) = entries
        .last()
        .filter(|last| !last.is_empty() && entries.len() < 256)
    {
        assert_ne!(leaf_hash(last), leaf_hash(b""));
        assert!(Edge::from_tiles(edge.size(), altered).is_err());
    }
});
