//! The templates that need no file.

use super::error::ChatTemplateError;
use super::load::SpecialTokens;
use super::template::ChatTemplate;

/// The names of the built-in templates.
///
/// | name | what it is |
/// |---|---|
/// | `chatml` | ChatML: every message between `<\|im_start\|>` and `<\|im_end\|>` |
/// | `qwen2.5` | Qwen2.5: ChatML with a default system message, and tools |
/// | `qwen3` | Qwen3: ChatML with reasoning (that of the last turn only), and tools |
/// | `llama3` | Llama 3: headers, `<\|eot_id\|>`, contents trimmed, one `<\|begin_of_text\|>` |
/// | `plain` | the contents, a line feed between them; the assistant's end with `eos_token`, if one is given |
///
/// Each renders what the template published with the models renders, which is tested against those,
/// and also marks with `{% generation %}` what carries loss.
pub const BUILTIN: [&str; 5] = ["chatml", "qwen2.5", "qwen3", "llama3", "plain"];

impl ChatTemplate {
    /// A built-in template, with the special tokens of its family; see [`BUILTIN`].
    ///
    /// # Errors
    /// [`ChatTemplateError::UnknownName`] with the names there are.
    pub fn builtin(name: &str) -> Result<Self, ChatTemplateError> {
        let tokens = |bos: Option<&str>, eos: &str, pad: Option<&str>| SpecialTokens {
            bos: bos.map(str::to_owned),
            eos: Some(eos.to_owned()),
            pad: pad.map(str::to_owned),
            unk: None,
        };
        let qwen = || tokens(None, "<|im_end|>", Some("<|endoftext|>"));
        let (source, tokens) = match name {
            "chatml" => (include_str!("templates/chatml.jinja"), qwen()),
            "qwen2.5" => (include_str!("templates/qwen2.5.jinja"), qwen()),
            "qwen3" => (include_str!("templates/qwen3.jinja"), qwen()),
            "llama3" => (
                include_str!("templates/llama3.jinja"),
                tokens(Some("<|begin_of_text|>"), "<|eot_id|>", None),
            ),
            "plain" => (
                include_str!("templates/plain.jinja"),
                SpecialTokens::default(),
            ),
            _ => {
                return Err(ChatTemplateError::UnknownName {
                    name: name.to_owned(),
                    known: BUILTIN.join(", "),
                });
            }
        };
        Self::new(source, tokens)
    }
}
