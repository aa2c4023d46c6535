//! The code in a completion.

use crate::extraction::after_last;

/// The code in `completion`: what stands in its last block of code with one of the `tags`; in its
/// last block without a tag if there is none; and everything if there are no such blocks. Only what
/// follows the last `</think>` counts. A block that is not closed ends with the completion.
pub(super) fn code<'a>(completion: &'a str, tags: &[String]) -> &'a str {
    let text = after_last(completion, "</think>").unwrap_or(completion);
    let (mut tagged, mut plain) = (None, None);
    for (tag, block) in blocks(text) {
        if tags.iter().any(|wanted| wanted.eq_ignore_ascii_case(tag)) {
            tagged = Some(block);
        } else if tag.is_empty() {
            plain = Some(block);
        }
    }
    tagged.or(plain).unwrap_or(text)
}

/// The fenced blocks of a text in the manner of CommonMark, with the first word after the fence.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, &str, usize)> = None;
    let mut position = 0;
    for line in text.split_inclusive('\n') {
        let end = position + line.len();
        let (ticks, rest) = fence(line);
        match open {
            None if ticks >= 3 && !rest.contains('`') => {
                let tag = rest.split([' ', '\t', ',', '{']).next().unwrap_or_default();
                open = Some((ticks, tag, end));
            }
            Some((wanted, tag, start)) if ticks >= wanted && rest.is_empty() => {
                found.push((tag, &text[start..position]));
                open = None;
            }
            _ => {}
        }
        position = end;
    }
    if let Some((_, tag, start)) = open {
        found.push((tag, &text[start..]));
    }
    found
}

/// The number of backticks a line begins with, and what follows them.
fn fence(line: &str) -> (usize, &str) {
    let line = line.trim();
    let rest = line.trim_start_matches('`');
    (line.len() - rest.len(), rest.trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever stands in a block comes out, wherever the block stands.
        #[test]
        fn a_block_is_read_back(code in "([a-z =()#é\"]{0,12}\n){0,6}", words in "[a-zé \n]{0,20}") {
            let completion = format!("{words}\n```python\n{code}```\n{words}");
            prop_assert_eq!(python(&completion), code);
        }

        /// What is found is a part of the completion.
        #[test]
        fn a_part_is_found(completion in "(```|python|\n|</think>|é|a| ){0,30}") {
            prop_assert!(completion.contains(python(&completion)));
        }
    }

    fn python(completion: &str) -> &str {
        code(completion, &["python".to_owned(), "py".to_owned()])
    }

    #[test]
    fn the_last_tagged_block_counts() {
        assert_eq!(python("```python\na\n```\n```Python\nb\n```\nwords"), "b\n");
        assert_eq!(python("```python\na\n```\nprints\n```\n1\n```"), "a\n");
        assert_eq!(python("```js\na\n```\n```\nb\n```"), "b\n");
        assert_eq!(python("```py title\na\n```"), "a\n");
        assert_eq!(python("print(1)"), "print(1)");
        assert_eq!(python(""), "");
    }

    #[test]
    fn thoughts_do_not_count() {
        assert_eq!(python("<think>```python\na\n```</think>b"), "b");
        assert_eq!(python("<think>a</think>```python\nb\n```"), "b\n");
    }

    #[test]
    fn fences_need_not_be_neat() {
        assert_eq!(python("```python\na"), "a");
        assert_eq!(python("  ```python\r\na\r\n  ```\r\nb"), "a\r\n");
        assert_eq!(python("````python\n```\na\n````"), "```\na\n");
        assert_eq!(python("```python\ns = '```'\n```"), "s = '```'\n");
    }
}
