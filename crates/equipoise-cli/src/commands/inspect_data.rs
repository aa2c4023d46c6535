//! `equipoise inspect data.jsonl`: rows as a model would see them, token by token with the loss mask.

use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use equipoise_data::chat::{
    ChatMessage, ChatTemplate, ChatTemplateError, Conversation, Diagnostic, Encoded, Ending,
    GenerationConfig, MaskOptions, SpecialTokens,
};
use equipoise_data::{RawRow, RowReader, Tokenizer};
use serde_json::{Map, Value};

use crate::output::{colours, token_text};

/// The arguments that are about files of data.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Files of data")]
pub(crate) struct DataArguments {
    /// A tokenizer.json. Without it, texts are shown instead of tokens.
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// The chat template: chatml, qwen2.5, qwen3, llama3, plain, a model's directory, or a file of
    /// Jinja. That of the tokenizer's directory, or chatml, if not given.
    #[arg(long, value_name = "NAME|FILE")]
    template: Option<String>,
    /// The date for templates that write one, for example 2026-11-24.
    #[arg(long, value_name = "DATE")]
    date: Option<String>,
    /// What the rows are. Told by their keys if not given.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Reads a column of the file as another one, for example `prompt=question`.
    #[arg(long, value_name = "OURS=THEIRS")]
    column: Vec<String>,
    /// Only the last answer of a conversation carries loss.
    #[arg(long)]
    last_turn_only: bool,
}

impl DataArguments {
    /// Whether one of them is given.
    pub(crate) fn given(&self) -> bool {
        self.tokenizer.is_some()
            || self.template.is_some()
            || self.date.is_some()
            || self.kind.is_some()
            || !self.column.is_empty()
            || self.last_turn_only
    }
}

/// What the rows of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// `messages`: a conversation, or `text`: a document.
    LanguageModelling,
    /// `prompt` alone.
    PromptOnly,
    /// `prompt` and `completion`.
    PromptCompletion,
    /// `chosen` and `rejected`, with or without a `prompt`.
    Preference,
}

/// Whether a file is one of data, and not a recipe.
pub(crate) fn is_data(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("jsonl" | "json" | "parquet")) && !path.is_dir()
}

/// Shows the first `count` rows of the file.
pub(crate) fn run(path: &Path, data: &DataArguments, count: usize) -> anyhow::Result<()> {
    if count == 0 {
        bail!("--count 0: there would be nothing to see");
    }
    let tokenizer = data.tokenizer.as_deref().map(load_tokenizer).transpose()?;
    let (template, source) = load_template(data, tokenizer.as_ref())?;
    let mut page = Page {
        out: io::stdout(),
        tokenizer,
        template,
        colours: colours(),
        last_turn_only: data.last_turn_only,
        total: Total::default(),
    };
    let columns = data.column.iter().map(|pair| match pair.split_once('=') {
        Some((ours, theirs)) => Ok((ours.to_owned(), theirs.to_owned())),
        None => bail!("--column {pair}: it must be OURS=THEIRS, such as prompt=question"),
    });
    let rows = read_rows(path, data.kind, columns.collect::<anyhow::Result<_>>()?)?;
    page.head(path, &source, data.tokenizer.as_deref())?;
    for row in rows.take(count) {
        page.row(&row?)?;
    }
    page.foot()
}

fn load_tokenizer(path: &Path) -> anyhow::Result<Tokenizer> {
    let config = path.with_file_name("tokenizer_config.json");
    let eos = if config.is_file() {
        SpecialTokens::load(&config)?.eos
    } else {
        None
    };
    Ok(Tokenizer::load(path, eos.as_deref())?)
}

/// The template, and where it is from.
fn load_template(
    data: &DataArguments,
    tokenizer: Option<&Tokenizer>,
) -> anyhow::Result<(ChatTemplate, String)> {
    let beside = data.tokenizer.as_deref().and_then(Path::parent);
    let (mut template, source) = match (&data.template, beside) {
        (Some(name), _) => (ChatTemplate::find(name)?, name.clone()),
        (None, Some(directory)) => match ChatTemplate::from_model_directory(directory) {
            Ok(template) => (template, "of the tokenizer's directory".to_owned()),
            Err(ChatTemplateError::NoTemplate { .. }) => {
                (ChatTemplate::builtin("chatml")?, "chatml".to_owned())
            }
            Err(error) => return Err(error.into()),
        },
        (None, None) => (ChatTemplate::builtin("chatml")?, "chatml".to_owned()),
    };
    if let Some(date) = &data.date {
        template = template.with_date(date).context("--date")?;
    }
    if let Some(tokenizer) = tokenizer {
        let tokens = template.special_tokens().clone().or_from(tokenizer);
        template = template.with_special_tokens(tokens);
    }
    Ok((template, source))
}

/// One row of the file.
struct Row {
    /// Where it stands, for people.
    place: String,
    /// Its texts with what they are called: one, or the two of a preference.
    samples: Vec<(&'static str, Sample)>,
}

/// Something a model is trained on.
enum Sample {
    /// A conversation, of which answers before the message of this number carry no loss.
    Conversation(Conversation, usize),
    /// A conversation that the model is to go on with.
    Prompt(Conversation),
    /// A text, of which these bytes carry loss.
    Text(String, Range<usize>),
}

/// The rows of a file, as the data crate reads them.
fn read_rows(
    path: &Path,
    kind: Option<Kind>,
    columns: Vec<(String, String)>,
) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Row>>> {
    let rows = RowReader::open(path)?;
    Ok(rows.map(move |row| {
        let row = row?;
        let place = row.location();
        read_row(&row, kind, &columns, &place).context(place)
    }))
}

fn read_row(
    row: &RawRow,
    kind: Option<Kind>,
    columns: &[(String, String)],
    place: &str,
) -> anyhow::Result<Row> {
    let mut keys = Map::new();
    for column in row.columns() {
        let value = serde_json::from_str(row.get(column).unwrap_or("null"))?;
        keys.insert(column.to_owned(), value);
    }
    for (ours, theirs) in columns {
        let value = keys.get(theirs).cloned();
        let value = value.with_context(|| format!("--column {ours}={theirs}: no such column"))?;
        keys.insert(ours.clone(), value);
    }
    let has = |key: &str| keys.get(key).is_some_and(|value| !value.is_null());
    let kind = match kind {
        Some(kind) => kind,
        None if has("messages") || has("text") => Kind::LanguageModelling,
        None if has("chosen") || has("rejected") => Kind::Preference,
        None if has("completion") => Kind::PromptCompletion,
        None if has("prompt") => Kind::PromptOnly,
        None => bail!(
            "no key to show; a row has `messages`, `text`, `prompt` and `completion`, or `chosen` \
             and `rejected`; --column prompt=question reads another column as one of them"
        ),
    };
    let row = |names: &[(&'static str, &str)], prompt: Option<&Value>| {
        let samples = names.iter().map(|&(label, key)| {
            let value = keys
                .get(key)
                .with_context(|| format!("`{key}` is missing"))?;
            let sample = sample(prompt, value, &keys).with_context(|| format!("`{key}`"))?;
            Ok((label, sample))
        });
        samples.collect::<anyhow::Result<Vec<_>>>()
    };
    let prompt = keys.get("prompt").filter(|value| !value.is_null());
    let samples = match kind {
        Kind::LanguageModelling if has("messages") => row(&[("", "messages")], None)?,
        Kind::LanguageModelling => row(&[("", "text")], None)?,
        Kind::PromptOnly => {
            let mut samples = row(&[("", "prompt")], None)?;
            for (_, sample) in &mut samples {
                match sample {
                    Sample::Conversation(conversation, _) => {
                        *sample = Sample::Prompt(std::mem::take(conversation));
                    }
                    Sample::Text(text, loss) => *loss = text.len()..text.len(),
                    Sample::Prompt(_) => {}
                }
            }
            samples
        }
        Kind::PromptCompletion => {
            let prompt = Some(prompt.context("`prompt` is missing")?);
            row(&[("", "completion")], prompt)?
        }
        Kind::Preference => row(&[("chosen", "chosen"), ("rejected", "rejected")], prompt)?,
    };
    Ok(Row {
        place: place.to_owned(),
        samples,
    })
}

/// A prompt, if there is one, and what follows it: both texts or both lists of messages.
fn sample(
    prompt: Option<&Value>,
    value: &Value,
    keys: &Map<String, Value>,
) -> anyhow::Result<Sample> {
    match (prompt, value) {
        (None, Value::String(text)) => Ok(Sample::Text(text.clone(), 0..text.len())),
        (Some(Value::String(prompt)), Value::String(text)) => {
            let all = format!("{prompt}{text}");
            let loss = prompt.len()..all.len();
            Ok(Sample::Text(all, loss))
        }
        (None | Some(Value::Array(_)), Value::Array(_)) => {
            let mut messages = match prompt {
                Some(prompt) => ChatMessage::list(prompt).context("`prompt`")?,
                None => Vec::new(),
            };
            let from = messages.len();
            messages.extend(ChatMessage::list(value)?);
            let tools = keys.get("tools").and_then(Value::as_array).cloned();
            let variables = keys.get("chat_template_kwargs").and_then(Value::as_object);
            let conversation = Conversation {
                messages,
                tools,
                variables: variables.cloned().unwrap_or_default(),
            };
            Ok(Sample::Conversation(conversation, from))
        }
        (None, _) => bail!("neither a text nor a list of messages"),
        (Some(_), _) => bail!("it and `prompt` have to be both texts or both lists of messages"),
    }
}

/// What was shown.
#[derive(Default)]
struct Total {
    samples: usize,
    tokens: usize,
    loss: usize,
}

/// Where and how it is shown.
struct Page {
    out: io::Stdout,
    tokenizer: Option<Tokenizer>,
    template: ChatTemplate,
    colours: bool,
    last_turn_only: bool,
    total: Total,
}

impl Page {
    fn head(&mut self, path: &Path, source: &str, tokenizer: Option<&Path>) -> anyhow::Result<()> {
        let what = if self.tokenizer.is_some() {
            "tokens"
        } else {
            "texts"
        };
        let how = if self.colours {
            "green"
        } else {
            "in [brackets]"
        };
        writeln!(self.out, "{}: chat template {source}", path.display())?;
        writeln!(self.out, "{what} that carry loss are {how}")?;
        if let (Some(tokenizer), Some(file)) = (&self.tokenizer, tokenizer) {
            let config = file.with_file_name("generation_config.json");
            let config = config.is_file().then(|| GenerationConfig::load(&config));
            let found = self.template.check(tokenizer, config.transpose()?.as_ref());
            self.diagnostics(&found, "")?;
        }
        Ok(())
    }

    fn row(&mut self, row: &Row) -> anyhow::Result<()> {
        for (label, sample) in &row.samples {
            let label = if label.is_empty() {
                String::new()
            } else {
                format!(" {label}")
            };
            write!(self.out, "\n{}{label}: ", row.place)?;
            let shown = match self.tokenizer.clone() {
                Some(tokenizer) => self.tokens(&tokenizer, sample),
                None => self.texts(sample),
            };
            shown.with_context(|| format!("{}{label}", row.place))?;
        }
        Ok(())
    }

    fn tokens(&mut self, tokenizer: &Tokenizer, sample: &Sample) -> anyhow::Result<()> {
        let (encoded, found) = match sample {
            Sample::Text(text, loss) => {
                let loss = std::slice::from_ref(loss);
                (Encoded::of_text(tokenizer, text, loss)?, Vec::new())
            }
            Sample::Prompt(conversation) => {
                let text = self.prompt(conversation)?;
                (Encoded::of_text(tokenizer, &text, &[])?, Vec::new())
            }
            Sample::Conversation(conversation, from) => {
                let options = self.options(*from);
                let encoded = self.template.encode(tokenizer, conversation, options)?;
                let check = &self.template;
                let found = check.check_conversation(tokenizer, conversation, &encoded);
                (encoded, found)
            }
        };
        let (all, loss) = (encoded.tokens.len(), encoded.loss_tokens());
        writeln!(self.out, "{all} tokens, {loss} of them carry loss")?;
        self.total.samples += 1;
        self.total.tokens += all;
        self.total.loss += loss;
        let mut start = 0;
        for message in &encoded.messages {
            let Some(range) = message.tokens.clone() else {
                continue;
            };
            // Of a message whose place cannot be told, the tokens are shown with the next one.
            let range = start..range.end.max(start);
            start = range.end;
            let role = &message.role;
            writeln!(
                self.out,
                "  {role}, tokens {} to {}",
                range.start, range.end
            )?;
            self.line(tokenizer, &encoded, range)?;
        }
        if start < all {
            self.line(tokenizer, &encoded, start..all)?;
        }
        self.diagnostics(&found, "  ")
    }

    fn line(
        &mut self,
        tokenizer: &Tokenizer,
        encoded: &Encoded,
        range: Range<usize>,
    ) -> anyhow::Result<()> {
        write!(self.out, "   ")?;
        for at in range {
            let offset = encoded.offsets[at].clone();
            // A character that is cut into several tokens is shown by how they are spelled.
            let shares = |other: usize| encoded.offsets.get(other) == Some(&offset);
            let whole = !offset.is_empty() && !shares(at + 1) && (at == 0 || !shares(at - 1));
            let text = match encoded.text.get(offset.clone()) {
                Some(text) if whole => token_text(Some(text.to_owned())),
                _ => token_text(tokenizer.token(encoded.tokens[at])),
            };
            // Tokens stand apart by spaces, so their own are shown.
            let text = text.replace(' ', "␣");
            write!(self.out, " {}", self.marked(&text, encoded.loss_mask[at]))?;
        }
        writeln!(self.out)?;
        Ok(())
    }

    fn texts(&mut self, sample: &Sample) -> anyhow::Result<()> {
        let (text, loss) = match sample {
            Sample::Text(text, loss) => (text.clone(), vec![loss.clone()]),
            Sample::Prompt(conversation) => (self.prompt(conversation)?, Vec::new()),
            Sample::Conversation(conversation, from) => {
                let layout = self.template.layout(conversation, self.options(*from))?;
                (layout.text, layout.loss)
            }
        };
        let bytes: usize = loss.iter().map(Range::len).sum();
        writeln!(self.out, "{} bytes, {bytes} of them carry loss", text.len())?;
        let mut start = 0;
        write!(self.out, "    ")?;
        for range in loss {
            write!(
                self.out,
                "{}",
                self.marked(
                    &token_text(Some(text[start..range.start].to_owned())),
                    false
                )
            )?;
            start = range.end;
            if !range.is_empty() {
                write!(
                    self.out,
                    "{}",
                    self.marked(&token_text(Some(text[range].to_owned())), true)
                )?;
            }
        }
        writeln!(
            self.out,
            "{}",
            self.marked(&token_text(Some(text[start..].to_owned())), false)
        )?;
        Ok(())
    }

    fn prompt(&self, conversation: &Conversation) -> anyhow::Result<String> {
        let ending = Ending::GenerationPrompt;
        Ok(self.template.render_conversation(conversation, ending)?)
    }

    fn options(&self, from_message: usize) -> MaskOptions {
        MaskOptions {
            last_turn_only: self.last_turn_only,
            from_message,
        }
    }

    fn marked(&self, text: &str, carries: bool) -> String {
        match (self.colours, carries) {
            (true, true) => format!("\x1b[32m{text}\x1b[0m"),
            (true, false) if !text.is_empty() => format!("\x1b[2m{text}\x1b[0m"),
            (false, true) => format!("[{text}]"),
            (_, false) => text.to_owned(),
        }
    }

    fn diagnostics(&mut self, found: &[Diagnostic], indent: &str) -> anyhow::Result<()> {
        for diagnostic in found {
            writeln!(self.out, "{indent}{}: {diagnostic}", diagnostic.severity())?;
        }
        Ok(())
    }

    fn foot(&mut self) -> anyhow::Result<()> {
        let Total {
            samples,
            tokens,
            loss,
        } = self.total;
        if self.tokenizer.is_some() {
            writeln!(
                self.out,
                "\nshown: {samples} samples, {tokens} tokens, {loss} of them carry loss"
            )?;
        }
        Ok(())
    }
}
