//! A page of Markdown, as Microsoft's repository and learn.microsoft.com give it.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::{
    PageInfo, PageReading, PageRow,
    host::{HostWord, word},
    prose::{self, SentenceFacts},
    table::{self, PageTable},
};

/// Markers around code in a block's text, from the private use area; such characters on the page itself are removed.
pub(super) const CODE_BEGINS: char = '\u{e000}';
pub(super) const CODE_ENDS: char = '\u{e001}';

/// A page with more rows is not a page of dependencies.
const MAX_ROWS: usize = 20_000;

/// HTML elements that may appear in text; any other name in angle brackets is a placeholder.
const ELEMENTS: [&str; 20] = [
    "a", "b", "br", "code", "div", "em", "hr", "i", "img", "li", "ol", "p", "s", "span", "strong", "sub", "sup", "u",
    "ul", "nobr",
];

/// Included files that say nothing about the network.
const HARMLESS: &str = "availability";

/// Reads a page; `from` is its name in messages.
pub(super) fn read(text: &str, from: &str) -> Result<PageReading, String> {
    let (page, body, first) = front_matter(text);
    if body.trim_start().starts_with("<!DOCTYPE") || body.trim_start().starts_with("<html") {
        return Err(format!(
            "{from} is HTML: fetch the page's Markdown, articles/api-management/virtual-network-reference.md of \
             github.com/MicrosoftDocs/azure-docs"
        ));
    }
    let mut reader = PageReader::new(body, first);
    for (event, range) in Parser::new_ext(body, Options::ENABLE_TABLES).into_offset_iter() {
        let line = reader.line(range.start);
        reader.take(event, line).map_err(|why| format!("{from}: {why}"))?;
        if reader.rows.len() > MAX_ROWS {
            return Err(format!(
                "{from} lists more than {MAX_ROWS} endpoints: it is not such a page"
            ));
        }
    }
    reader.includes(body);
    if !reader.has_ports {
        return Err(format!(
            "{from} contains no table of required ports (Direction, Source, Destination, Destination port ranges, \
             Protocol …): is it the page's complete Markdown?"
        ));
    }
    Ok(PageReading {
        page: PageInfo {
            title: reader.title.or(page.title),
            documented: page.documented,
        },
        rows: reader.rows,
        unread: reader.unread,
        sections: Some(reader.sections),
    })
}

/// Title and date from the front matter, the text after it, and the line at which that begins.
fn front_matter(text: &str) -> (PageInfo, &str, usize) {
    let text = text.trim_start_matches('\u{feff}');
    let mut page = PageInfo::default();
    let Some(rest) = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")) else {
        return (page, text, 1);
    };
    let mut at = text.len() - rest.len();
    for (index, line) in rest.split_inclusive('\n').enumerate() {
        at += line.len();
        if line.trim_end() == "---" {
            return (page, &text[at..], index + 3);
        }
        if let Some((key, value)) = line.split_once(':') {
            let value = value.trim().trim_matches(['"', '\'']);
            match key.trim() {
                "title" if !value.is_empty() => page.title = Some(value.to_owned()),
                "ms.date" => page.documented = date(value),
                _ => {}
            }
        }
    }
    // It never ends, so there is no front matter.
    (PageInfo::default(), text, 1)
}

/// `04/30/2026` or `2026-04-30T…` as `2026-04-30`.
fn date(text: &str) -> Option<String> {
    let text = text.split(['T', ' ']).next()?;
    let date = match text.splitn(3, '/').collect::<Vec<_>>()[..] {
        [month, day, year] => {
            jiff::civil::Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?
        }
        _ => text.parse::<jiff::civil::Date>().ok()?,
    };
    Some(date.to_string())
}

/// What is collected while reading the page.
struct PageReader {
    /// The offsets at which lines begin, and the number of the first line.
    lines: Vec<usize>,
    first: usize,
    title: Option<String>,
    sections: Vec<String>,
    rows: Vec<PageRow>,
    unread: Vec<String>,
    has_ports: bool,
    /// The text of the open block, and where it began.
    block: String,
    block_line: usize,
    table: Option<PageTable>,
    /// Bold text in the open block.
    bold: Option<String>,
    /// The service tag in the section.
    tag: Option<String>,
    /// The sentence before a list.
    lead: Option<SentenceFacts>,
    in_heading: Option<HeadingLevel>,
    in_image: bool,
    code: Code,
}

/// Whether the next text is code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    Nothing,
    Fence,
    Html,
}

impl PageReader {
    fn new(body: &str, first: usize) -> Self {
        let ends = body.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            lines: std::iter::once(0).chain(ends).collect(),
            first,
            title: None,
            sections: Vec::new(),
            rows: Vec::new(),
            unread: Vec::new(),
            has_ports: false,
            block: String::new(),
            block_line: first,
            table: None,
            bold: None,
            tag: None,
            lead: None,
            in_heading: None,
            in_image: false,
            code: Code::Nothing,
        }
    }

    /// The line of an offset.
    fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|begin| *begin <= offset) + self.first - 1
    }

    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), String> {
        match event {
            Event::Start(tag) => self.open(&tag, line),
            Event::End(tag) => return self.close(tag, line),
            Event::Text(text) => self.text(&text, self.code != Code::Nothing),
            Event::Code(text) => self.text(&text, true),
            Event::SoftBreak | Event::HardBreak => self.block.push(' '),
            Event::InlineHtml(html) => self.inline_html(&html),
            Event::Html(html) => self.html(&html, line),
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, tag: &Tag<'_>, line: usize) {
        match tag {
            Tag::Paragraph | Tag::Item | Tag::Heading { .. } | Tag::CodeBlock(_) => {
                // An item may contain a list: the text before it is a separate block.
                self.flush();
                self.block_line = line;
                self.code = if matches!(tag, Tag::CodeBlock(_)) {
                    Code::Fence
                } else {
                    Code::Nothing
                };
                if let Tag::Heading { level, .. } = tag {
                    self.in_heading = Some(*level);
                }
            }
            Tag::List(_) => self.flush(),
            Tag::Table(_) => {
                self.flush();
                self.table = Some(PageTable {
                    line,
                    ..PageTable::default()
                });
            }
            Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.rows.push((line, Vec::new()));
                }
            }
            Tag::TableHead | Tag::TableCell => self.block.clear(),
            Tag::Strong => self.bold = Some(String::new()),
            Tag::Image { .. } => self.in_image = true,
            _ => {}
        }
    }

    fn close(&mut self, tag: TagEnd, line: usize) -> Result<(), String> {
        match tag {
            TagEnd::Paragraph | TagEnd::Item | TagEnd::CodeBlock => {
                self.flush();
                self.code = Code::Nothing;
            }
            TagEnd::Heading(_) => self.heading(line),
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.block);
                if let Some(table) = &mut self.table {
                    match table.rows.last_mut() {
                        Some((_, cells)) => cells.push(cell),
                        None => table.heads.push(cell),
                    }
                }
            }
            TagEnd::Table => return self.finish_table(),
            TagEnd::Strong => {
                if let Some(tag) = self.bold.take().filter(|text| is_tag(text)) {
                    self.tag.get_or_insert(tag);
                }
            }
            TagEnd::Image => self.in_image = false,
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &CowStr<'_>, in_code: bool) {
        if self.in_image {
            return;
        }
        let text = text.replace([CODE_BEGINS, CODE_ENDS], " ");
        if let Some(bold) = &mut self.bold {
            bold.push_str(&text);
        }
        if in_code {
            self.block.push(CODE_BEGINS);
            self.block.push_str(&text);
            self.block.push(CODE_ENDS);
        } else {
            self.block.push_str(&text);
        }
    }

    /// An element separates words; anything else in angle brackets is a placeholder, and part of a host.
    fn inline_html(&mut self, html: &str) {
        let name = html
            .trim_matches(['<', '>', '/'])
            .split_whitespace()
            .next()
            .unwrap_or_default();
        let name = name.trim_end_matches('/').to_ascii_lowercase();
        if html.starts_with("<!--") {
            return;
        }
        if name == "code" {
            self.code = if html.starts_with("</") {
                Code::Nothing
            } else {
                Code::Html
            };
        } else if ELEMENTS.contains(&name.as_str()) {
            self.block.push(' ');
        } else if !html.starts_with("</") {
            self.block.push('{');
            self.block.push_str(html.trim_matches(['<', '>']));
            self.block.push('}');
        }
    }

    /// Blocks of HTML are not parsed; anything in one that looks like an endpoint is reported.
    fn html(&mut self, html: &str, line: usize) {
        let text = without_tags(html);
        for text in text.split(|c: char| c.is_whitespace() || c == ',') {
            if let HostWord::Host(host, _) | HostWord::Link(host) = word(text, false) {
                self.unread.push(format!("line {line}: {host} is in an HTML block"));
            }
        }
    }

    fn heading(&mut self, line: usize) {
        let text = std::mem::take(&mut self.block).replace([CODE_BEGINS, CODE_ENDS], "");
        let text = text.trim();
        let level = self.in_heading.take();
        (self.tag, self.lead) = (None, None);
        if level == Some(HeadingLevel::H1) && self.title.is_none() {
            self.title = Some(text.to_owned());
        } else {
            self.sections.push(anchor(text));
        }
        // A heading may contain a host, too.
        let (rows, _) = prose::read(text).rows(None, line);
        self.rows.extend(rows.into_iter().filter(|row| row.host.is_some()));
    }

    fn finish_table(&mut self) -> Result<(), String> {
        let Some(table) = self.table.take() else { return Ok(()) };
        let reading = table::read(&table, self.tag.as_deref())?;
        self.has_ports |= reading.of_ports;
        self.rows.extend(reading.rows);
        self.unread.extend(reading.unread);
        Ok(())
    }

    /// Parses the open block.
    fn flush(&mut self) {
        let block = std::mem::take(&mut self.block);
        if block.trim().is_empty() || self.table.is_some() || self.in_heading.is_some() {
            return;
        }
        let line = self.block_line;
        for sentence in prose::sentences(&block) {
            let own = prose::read(sentence);
            for doubt in &own.doubtful {
                self.unread.push(format!("line {line}: {doubt}"));
            }
            let context = match &self.lead {
                Some(lead) if !own.hosts().is_empty() => own.led_by(lead),
                _ => own,
            };
            let leads = sentence.trim_end().ends_with(':') && context.hosts().is_empty();
            if leads {
                self.lead = Some(context);
            } else {
                let (rows, doubt) = context.rows(self.tag.as_deref(), line);
                self.rows.extend(rows);
                self.unread.extend(doubt.map(|doubt| format!("line {line}: {doubt}")));
            }
        }
    }

    /// Included files are not part of the page.
    fn includes(&mut self, body: &str) {
        for (index, line) in body.lines().enumerate() {
            if let Some((_, rest)) = line.split_once("[!INCLUDE")
                && !rest.to_lowercase().contains(HARMLESS)
            {
                let what = rest.split(['[', ']']).nth(1).unwrap_or("a file").trim();
                self.unread.push(format!(
                    "line {}: {what} is included from elsewhere, not in this file",
                    index + self.first
                ));
            }
        }
    }
}

/// Whether bold text is a service tag: one word in mixed case.
fn is_tag(text: &str) -> bool {
    text.len() > 2
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric())
        && text.chars().skip(1).any(|c| c.is_ascii_uppercase())
}

/// The anchor of a heading, as the site forms it.
pub(super) fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// HTML without its tags and comments.
fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        text.push(' ');
        let end = if tag.starts_with("!--") { "-->" } else { ">" };
        rest = tag.split_once(end).map_or("", |(_, rest)| rest);
    }
    text + rest
}
