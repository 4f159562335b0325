//! Errors that were saved instead of a document: of Azure Resource Manager, the Azure CLI, PowerShell.

use std::{borrow::Cow, fmt};

use super::{JsonNode, Object};

/// The error that Azure or one of its tools reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AzureError {
    /// The error's code; empty where there is none.
    code: String,
    /// Its message; empty where there is none.
    message: String,
}

impl fmt::Display for AzureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is an Azure error")?;
        if !self.code.is_empty() {
            write!(f, ", {}", self.code)?;
        }
        if !self.message.is_empty() {
            write!(f, ": \"{}\"", shortened(&self.message))?;
        }
        let hint = match self.code.as_str() {
            "AuthorizationFailed" | "Forbidden" | "LinkedAuthorizationFailed" => {
                ", so use an account that may: effective rules and routes need the Network Contributor role, the \
                 instance's documents the Reader role"
            }
            "ExpiredAuthenticationToken" | "InvalidAuthenticationToken" | "AuthenticationFailed" => {
                ", so sign in again"
            }
            _ => "",
        };
        f.write_str(hint)
    }
}

/// The error in an object: `{"error": {"code": …, "message": …}}`, the same without its wrapper, or what gateways and
/// Entra ID write.
pub(super) fn of_object(object: &Object<'_>) -> Option<AzureError> {
    let inner = object
        .get("error")
        .or_else(|| object.get("odata.error"))
        .and_then(JsonNode::object);
    let has_code = |object: &Object<'_>| object.has("code") && object.has("message");
    let (from, code) = match &inner {
        Some(inner) => (inner, inner.text("code")),
        None if has_code(object) => (object, object.text("code")),
        None if object.has("error") => (object, object.text("error")),
        None if object.has("statusCode") && object.has("message") => (object, object.text("statusCode")),
        None => return None,
    };
    let message = from
        .text("message")
        .or_else(|| from.get("message")?.object()?.text("value"))
        .or_else(|| from.text("error_description"));
    let text = |text: Option<Cow<'_, str>>| text.unwrap_or_default().trim().to_owned();
    let (code, message) = (text(code), text(message));
    // The metadata service sends a sentence instead of a code.
    let (code, message) = if is_code(&code) || !message.is_empty() {
        (code, message)
    } else {
        (String::new(), code)
    };
    Some(AzureError { code, message })
}

/// The error that a tool printed as text.
pub(super) fn of_text(text: &str) -> Option<AzureError> {
    const FIRST_LINES: usize = 40;
    let lines: Vec<&str> = text.lines().take(FIRST_LINES).map(str::trim).collect();
    let start = lines.iter().position(|line| is_error(line))?;
    // The Azure CLI puts Azure's own reply after its own word: `Forbidden({"error": …})`.
    let answer = text.find('{').and_then(|at| {
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<serde_json::Value>();
        values.next()?.ok()
    });
    let answer = answer.map(|value| value.to_string());
    let answered = answer
        .as_ref()
        .and_then(|json| of_object(&JsonNode::parse(json)?.object()?))
        .filter(|failure| !failure.code.is_empty());
    if answered.is_some() {
        return answered;
    }
    let field = |key: &str| {
        let mut values = lines.iter().filter_map(|line| line.strip_prefix(key));
        values.next().map(|value| value.trim().to_owned())
    };
    let detail = message(lines[start]);
    let (code, detail) = coded(detail).map_or((None, detail), |(code, rest)| (Some(code.to_owned()), rest));
    let detail = if detail.is_empty() {
        lines.get(start + 1).copied().unwrap_or_default()
    } else {
        detail
    };
    Some(AzureError {
        code: code
            .or_else(|| field("Code:"))
            .or_else(|| field("ErrorCode:"))
            .filter(|code| is_code(code))
            .unwrap_or_default(),
        message: field("Message:")
            .or_else(|| field("ErrorMessage:"))
            .unwrap_or_else(|| detail.to_owned()),
    })
}

/// Whether a line begins an error of the Azure CLI, of PowerShell, or of a shell that does not have them.
fn is_error(line: &str) -> bool {
    let is_cmdlet = |name: &str| {
        let words = ["Get-Az", "Invoke-Az", "Get-AzureRm", "ConvertTo-Json", "Connect-Az"];
        words.iter().any(|word| name.starts_with(word)) && !name.contains(char::is_whitespace)
    };
    line.starts_with("ERROR:")
        || coded(line).is_some()
        || line.starts_with("az: ")
        || line.starts_with("usage: az")
        || line.contains("command not found")
        || line.contains("is not recognized as")
        || line.contains("az login")
        || line.contains("Connect-AzAccount")
        || line.starts_with("+ CategoryInfo")
        || line.split_once(':').is_some_and(|(name, _)| is_cmdlet(name.trim()))
}

/// The code and the message of `(NetworkInterfaceNotFound) There is none.`
fn coded(line: &str) -> Option<(&str, &str)> {
    let (code, rest) = line.strip_prefix('(')?.split_once(')')?;
    is_code(code).then_some((code, rest.trim()))
}

/// The text after `ERROR:` or the name of a cmdlet.
fn message(line: &str) -> &str {
    match line.split_once(':') {
        Some((before, after)) if !before.contains(' ') || before.trim_end().starts_with("Get-Az") => after.trim(),
        _ => line,
    }
}

fn is_code(word: &str) -> bool {
    !word.is_empty()
        && word.len() < 80
        && word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'))
}

fn shortened(text: &str) -> String {
    const MAX_LENGTH: usize = 160;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MAX_LENGTH {
        return line;
    }
    let cut: String = line.chars().take(MAX_LENGTH - 1).collect();
    format!("{cut}…")
}
