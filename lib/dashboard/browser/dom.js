/**
 * Builds elements and patches the page to look like them. Whatever arrives from outside becomes a text node or an
 * attribute value here, never markup.
 */

/** `el('p', { class: 'quiet' }, 'text', child)`; null, false and undefined are left out of attributes and children. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

const SVG = 'http://www.w3.org/2000/svg';

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false)
      node.setAttribute(name, value === true ? '' : shown(value));
  }
  for (const child of children.flat(3)) {
    if (child !== null && child !== undefined && child !== false)
      node.append(child instanceof Node ? child : shown(child));
  }
  return node;
}

/** Text with control characters and direction marks spelled out, so that nothing hides or reorders what is read. */
export function shown(value) {
  return String(value).replace(
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (character) => {
      const code = character.charCodeAt(0);
      return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
    },
  );
}

/**
 * Changes the children of `parent` into those of `wanted`, keeping every node that can stay: focus, scroll position,
 * selection and open details survive a refresh. Nodes with `data-key` are recognised wherever they are; the inside of
 * nodes with `data-keep` belongs to somebody else.
 */
export function patchChildren(parent, wanted) {
  const keyed = new Map(
    [...parent.children].filter((node) => node.dataset.key).map((node) => [node.dataset.key, node]),
  );
  let at = parent.firstChild;
  for (const next of [...wanted.childNodes]) {
    const key = next.dataset?.key;
    const same = key ? keyed.get(key) : at?.dataset?.key ? null : at;
    if (!same) {
      parent.insertBefore(next, at);
      continue;
    }
    if (same === at) at = at.nextSibling;
    else parent.insertBefore(same, at);
    patch(same, next);
  }
  while (at) {
    const after = at.nextSibling;
    at.remove();
    at = after;
  }
}

function patch(node, next) {
  if (node.nodeName !== next.nodeName) return node.replaceWith(next);
  if (!(node instanceof Element)) {
    if (node.data !== next.data) node.data = next.data;
    return;
  }
  const kept = node.localName === 'details' ? ['open'] : [];
  for (const { name } of [...node.attributes]) {
    if (!next.hasAttribute(name) && !kept.includes(name)) node.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  if (!next.hasAttribute('data-keep')) patchChildren(node, next);
}

export const byId = (id) => document.getElementById(id);

/** Puts `children` where the children of the element were. A node that had to move keeps the focus. */
export function show(id, ...children) {
  const focused = document.activeElement;
  patchChildren(byId(id), el('div', {}, ...children));
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
}
