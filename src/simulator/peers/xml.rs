//! Reads XML documents as strictly as carriers do. It knows no verb.

use roxmltree::{Document, Node};

use crate::simulator::verb::Problem;

/// A longer document is refused.
const DOCUMENT_LEN_MAX: usize = 64 * 1024;

/// Reads a document's elements, one after another.
///
/// # Errors
/// It is no document, or one of its elements is nothing that `read` takes.
pub(super) fn document<T>(
    content_type: &str,
    body: &[u8],
    read: impl FnMut(Node<'_, '_>) -> Result<T, Problem>,
) -> Result<Vec<T>, Problem> {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !["text/xml", "application/xml"].contains(&essence) {
        return Err(Problem::new(12_300, format!("content type {content_type:?}")));
    }
    if body.len() > DOCUMENT_LEN_MAX {
        return Err(Problem::new(11_750, "the document is longer than 64 kB"));
    }
    let text = std::str::from_utf8(body).map_err(|_| Problem::new(12_100, "is not UTF-8"))?;
    let document =
        Document::parse(text).map_err(|error| Problem::new(12_100, error.to_string()))?;
    let root = document.root_element();
    if root.tag_name().name() != "Response" {
        return Err(Problem::schema("the root is no Response"));
    }
    elements(root)?.into_iter().map(read).collect()
}

/// The elements in it; any other text is an error.
pub(super) fn elements<'a, 'i>(node: Node<'a, 'i>) -> Result<Vec<Node<'a, 'i>>, Problem> {
    let found: Vec<_> = node.children().filter(Node::is_element).collect();
    let stray = node.children().filter_map(|child| child.text().filter(|_| child.is_text()));
    if !found.is_empty() && stray.map(str::trim).any(|text| !text.is_empty()) {
        return Err(Problem::schema(format!("{}: stray text", node.tag_name().name())));
    }
    Ok(found)
}

/// The text in it; an element is an error.
pub(super) fn text(node: Node<'_, '_>) -> Result<String, Problem> {
    if node.children().any(|child| child.is_element()) {
        return Err(Problem::schema(format!("{}: holds elements", node.tag_name().name())));
    }
    Ok(node.children().filter_map(|child| child.text()).collect())
}

/// Every attribute must be known.
pub(super) fn only(node: Node<'_, '_>, known: &[&str]) -> Result<(), Problem> {
    match node.attributes().find(|attribute| !known.contains(&attribute.name())) {
        None => Ok(()),
        Some(attribute) => {
            let name = node.tag_name().name();
            Err(Problem::schema(format!("{name}: no attribute {}", attribute.name())))
        }
    }
}
