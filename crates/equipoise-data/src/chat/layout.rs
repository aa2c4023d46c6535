//! Where the messages stand in the text of a conversation, and what of it the model writes.

use std::ops::Range;

use minijinja::Value as Any;

use super::error::ChatTemplateError;
use super::message::ChatMessage;
use super::template::{ChatTemplate, Conversation, Prepared, value};

/// Which of the assistant's messages carry loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaskOptions {
    /// Only the last one.
    pub last_turn_only: bool,
    /// None before this one, counted from 0 over all messages: the number of messages of the prompt
    /// where a row has a prompt and a completion.
    pub from_message: usize,
}

/// The text of a conversation and what stands where, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The whole text.
    pub text: String,
    /// What carries loss: ranges of bytes of `text`, in order, not empty, not touching.
    pub loss: Vec<Range<usize>>,
    /// The messages, in order.
    pub messages: Vec<MessageSpan>,
    /// How `loss` was found.
    pub located: Located,
}

/// How it was found what the model writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Located {
    /// By the template's own `{% generation %}` blocks.
    Markers,
    /// By rendering the conversation up to each message.
    Renderings,
    /// The caller said it ([`Encoded::of_text`](super::Encoded::of_text)).
    Given,
}

/// Where one message stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageSpan {
    /// Who speaks.
    pub role: String,
    /// The bytes of the message with its header and its end: from the end of the message before, so
    /// what a template puts in front of the first message (such as a default system message)
    /// belongs to it. `None` if it cannot be told.
    pub range: Option<Range<usize>>,
    /// Whether it is the assistant's and the template renders it otherwise than when it was the
    /// last message, so that the model would never write it in this form.
    pub rewritten: bool,
}

impl ChatTemplate {
    /// The text of a conversation, where its messages stand, and what carries loss; the
    /// [module](crate::chat) says which that is.
    ///
    /// # Errors
    /// Those of [`render`](Self::render), and [`ChatTemplateError::NotLocated`].
    pub fn layout(
        &self,
        conversation: &Conversation,
        options: MaskOptions,
    ) -> Result<Layout, ChatTemplateError> {
        if conversation.messages.is_empty() {
            return Err(ChatTemplateError::EmptyConversation);
        }
        let prepared = self.prepare(conversation);
        let (text, markers) = prepared.render_marked()?;
        let finder = Finder::new(&prepared, &text, &conversation.messages);
        let ends: Vec<End> = (0..conversation.messages.len())
            .map(|index| finder.end(index))
            .collect();
        let mut messages = finder.spans(&ends);
        let last = conversation
            .messages
            .iter()
            .rposition(ChatMessage::is_assistant);
        let wanted: Vec<usize> = (options.from_message..conversation.messages.len())
            .filter(|&index| conversation.messages[index].is_assistant())
            .filter(|&index| !options.last_turn_only || Some(index) == last)
            .collect();
        let (loss, located) = if self.has_generation_markers() {
            let all = options == MaskOptions::default();
            let kept = finder.marked(merged(markers), &messages, &wanted, all)?;
            (kept, Located::Markers)
        } else {
            let mut found = Vec::with_capacity(wanted.len());
            for index in wanted {
                let (range, rewritten) = finder.written(index, &ends)?;
                messages[index].rewritten |= rewritten;
                found.push(range);
            }
            (merged(found), Located::Renderings)
        };
        Ok(Layout {
            text,
            loss,
            messages,
            located,
        })
    }
}

/// The ranges in order without empty ones, those that touch joined.
fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// Where a message ends.
struct End {
    /// The byte, if it can be told.
    at: Option<usize>,
    /// Whether the rendering up to this message is a beginning of the whole one.
    kept: bool,
}

/// Looks for messages in the text of their conversation.
struct Finder<'a> {
    prepared: &'a Prepared<'a>,
    text: &'a str,
    messages: &'a [ChatMessage],
    /// A character that the text does not have.
    probe: char,
}

impl<'a> Finder<'a> {
    fn new(prepared: &'a Prepared<'a>, text: &'a str, messages: &'a [ChatMessage]) -> Self {
        // Of the 6400 characters for private use, a text has hardly all; if it has, nothing is found.
        let probe = ('\u{e000}'..='\u{f8ff}').find(|&candidate| !text.contains(candidate));
        Self {
            prepared,
            text,
            messages,
            probe: probe.unwrap_or('\u{f8ff}'),
        }
    }

    /// Where message `index` ends.
    fn end(&self, index: usize) -> End {
        if index + 1 == self.messages.len() {
            return End {
                at: Some(self.text.len()),
                kept: true,
            };
        }
        // A template may refuse a conversation that ends here; then this tells nothing.
        let upto = self
            .prepared
            .render(&self.prepared.messages[..=index], false);
        match upto {
            Ok(upto) if self.text.starts_with(&upto) => End {
                at: Some(upto.len()),
                kept: true,
            },
            other => End {
                at: self.probed_end(index),
                kept: other.is_err(),
            },
        }
    }

    /// The ranges of all messages.
    fn spans(&self, ends: &[End]) -> Vec<MessageSpan> {
        let mut start = Some(0);
        let messages = self.messages.iter().zip(ends);
        let span = |(message, end): (&ChatMessage, &End)| {
            let range = match (start, end.at) {
                (Some(start), Some(end)) if start <= end => Some(start..end),
                _ => None,
            };
            start = end.at;
            MessageSpan {
                role: message.role().to_owned(),
                range,
                rewritten: message.is_assistant() && !end.kept,
            }
        };
        messages.map(span).collect()
    }

    /// The marked ranges that belong to the messages `wanted`.
    fn marked(
        &self,
        markers: Vec<Range<usize>>,
        spans: &[MessageSpan],
        wanted: &[usize],
        all: bool,
    ) -> Result<Vec<Range<usize>>, ChatTemplateError> {
        if all {
            return Ok(markers);
        }
        let assistants: Vec<usize> = (0..self.messages.len())
            .filter(|&index| self.messages[index].is_assistant())
            .collect();
        let one_each = assistants.len() == markers.len();
        let owner = |at: usize, marker: &Range<usize>| {
            if one_each {
                return Some(assistants[at]);
            }
            let holds = |span: &MessageSpan| {
                span.range
                    .as_ref()
                    .is_some_and(|range| range.contains(&marker.start))
            };
            spans.iter().position(holds)
        };
        let mut kept = Vec::new();
        for (at, marker) in markers.into_iter().enumerate() {
            let owner = owner(at, &marker).ok_or(ChatTemplateError::NotLocated {
                index: wanted.last().copied().unwrap_or_default(),
                why: "the `{% generation %}` blocks cannot be assigned to the messages",
            })?;
            if wanted.contains(&owner) {
                kept.push(marker);
            }
        }
        Ok(kept)
    }

    /// What the model writes of its message `index`, and whether the template would have opened the
    /// message otherwise.
    fn written(
        &self,
        index: usize,
        ends: &[End],
    ) -> Result<(Range<usize>, bool), ChatTemplateError> {
        let not_located = |why| ChatTemplateError::NotLocated { index, why };
        let end = ends[index].at.ok_or_else(|| {
            not_located(
                "what ends the message depends on the messages after it, or its content is not \
                 rendered as it is",
            )
        })?;
        let before = match index.checked_sub(1) {
            Some(before) => ends[before].at,
            None => Some(0),
        };
        let opened = self.opened(index, before);
        // A template that refuses what stands before has not said how it would open the message.
        let messages = &self.prepared.messages[..index];
        let rewritten = opened.is_none() && self.prepared.render(messages, true).is_ok();
        let start = opened.or_else(|| self.probed_start(index));
        let start = start.filter(|&start| start <= end).ok_or_else(|| {
            not_located(
                "the generation prompt is no beginning of the conversation, and the content is not \
                 rendered as it is",
            )
        })?;
        Ok((start..self.without_space(index, start, end), rewritten))
    }

    /// Where the generation prompt in front of message `index` ends. The messages before may have
    /// been rendered otherwise in the whole text; then it is looked for where they end, at `before`.
    fn opened(&self, index: usize, before: Option<usize>) -> Option<usize> {
        let messages = &self.prepared.messages[..index];
        let opened = self.prepared.render(messages, true).ok()?;
        if self.text.starts_with(&opened) {
            return Some(opened.len());
        }
        let closed = self.prepared.render(messages, false).ok()?;
        let (before, header) = (before?, opened.strip_prefix(&closed)?);
        let found = !header.is_empty() && self.text[before..].starts_with(header);
        found.then_some(before + header.len())
    }

    /// `end`, or where the white space begins that the template puts behind the token that ends the
    /// turn. White space of the content stays, and so does what the turn ends with if that is
    /// nothing but white space.
    fn without_space(&self, index: usize, start: usize, end: usize) -> usize {
        let written = &self.text[start..end];
        let trimmed = written.trim_end();
        if trimmed.len() == written.len() || trimmed.is_empty() {
            return end;
        }
        let content = self.messages[index].content().unwrap_or_default().trim();
        if !content.is_empty() && trimmed.ends_with(content) {
            // The white space may be the content's own.
            let behind = self.probed_content_end(index).map(|at| &self.text[at..end]);
            if behind.is_none_or(|behind| behind.trim().is_empty()) {
                return end;
            }
        }
        start + trimmed.len()
    }

    /// The text with another content of message `index`, split at the probe.
    fn probed(&self, upto: usize, index: usize, content: &str) -> Option<(String, String)> {
        let mut messages: Vec<Any> = self.prepared.messages.get(..upto)?.to_vec();
        let changed = self.messages[index].clone().with("content", content);
        *messages.get_mut(index)? = value(&changed);
        let text = self.prepared.render(&messages, false).ok()?;
        let (before, after) = text.split_once(self.probe)?;
        (!after.contains(self.probe)).then(|| (before.to_owned(), after.to_owned()))
    }

    /// The content of message `index`, into which probes are put: nothing if it has none, and `None`
    /// if it is a list of parts.
    fn content(&self, index: usize) -> Option<&str> {
        let message = &self.messages[index];
        match message.get("content") {
            None => Some(""),
            Some(_) => message.content(),
        }
    }

    /// Where the content of message `index` begins, told by a probe in front of it or in its place.
    fn probed_start(&self, index: usize) -> Option<usize> {
        let content = self.content(index)?;
        let all = self.messages.len();
        let front = self.probed(all, index, &format!("{}{content}", self.probe));
        let front = front.and_then(|(before, after)| {
            let rest = self.text.strip_prefix(&before)?;
            (rest.trim_start() == after.trim_start()).then_some(before.len())
        });
        front.or_else(|| {
            let (before, after) = self.probed(all, index, &self.probe.to_string())?;
            let rest = self.text.strip_prefix(&before)?;
            rest.ends_with(&after).then_some(before.len())
        })
    }

    /// Where the content of message `index` ends, told by a probe behind it.
    fn probed_content_end(&self, index: usize) -> Option<usize> {
        let content = self.content(index)?;
        let all = self.messages.len();
        let (before, after) = self.probed(all, index, &format!("{content}{}", self.probe))?;
        let upto = self.text.strip_suffix(&after)?;
        (upto.trim_end() == before.trim_end()).then_some(upto.len())
    }

    /// Where message `index` ends, if what follows its content is the same as when it is the last.
    fn probed_end(&self, index: usize) -> Option<usize> {
        let content_end = self.probed_content_end(index)?;
        let content = self.content(index)?;
        let alone = self.probed(index + 1, index, &format!("{content}{}", self.probe));
        match alone {
            Some((_, tail)) if self.text[content_end..].starts_with(&tail) => {
                Some(content_end + tail.len())
            }
            // Messages of tools, for example, are joined; where one ends is of no consequence.
            _ if !self.messages[index].is_assistant() => Some(content_end),
            _ => None,
        }
    }
}
