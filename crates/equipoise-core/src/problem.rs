//! A problem with a known answer.

use serde::{Deserialize, Serialize};

/// One problem to be solved: what is asked, and the answer a verifier compares with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A number that identifies the problem inside its source; it addresses the random streams of
    /// its samples.
    pub id: u64,
    /// What is asked, as the text given to the model.
    pub prompt: String,
    /// The expected answer, in whatever form the run's verifier understands.
    pub answer: String,
    /// Where the problem comes from: a task's name or a file's.
    pub source: String,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// Who speaks in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions that frame the conversation.
    System,
    /// The person who asks.
    User,
    /// The model.
    Assistant,
}
