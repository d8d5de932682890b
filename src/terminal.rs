//! What strangers write may be told on a terminal, which acts on more than it shows.

/// Whether a terminal acts on `c`, shows nothing of it, or shows what follows in another order.
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_as_it_stands_steers() {
        for c in ['\u{1b}', '\u{7f}', '\u{9b}', '\u{61c}', '\u{202e}', '\u{2066}', '\u{e0041}'] {
            assert!(steers(c), "{c:?}");
        }
        for c in ['a', ' ', 'é', '\u{301}', '日', '😀'] {
            assert!(!steers(c), "{c:?}");
        }
    }
}
