// SPDX-License-Identifier: Apache-2.0
// Frames to fields, by the schema that roam.proto gave. A field is
//   {name, number, at, end, valueAt, text, kind, fields, note}
// where offsets count from the first byte of the frame's header.

const HEADER = 4;
const INSIDE = {
  Batch: {payload: "Columns"},
  HistoryPage: {payload: "Columns"},
  ConversationPage: {payload: "Columns"},
  MemberPage: {rows: "MemberRows"},
  SessionList: {rows: "SessionRows"},
};
const LIST_SHOWN = 24;

let schema = null;

function bytesOf(base64) {
  const text = atob(base64);
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream()
    .pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function varint(bytes, at) {
  let value = 0n;
  for (let i = 0; i < 10 && at + i < bytes.length; i++) {
    value |= BigInt(bytes[at + i] & 0x7f) << BigInt(7 * i);
    if (bytes[at + i] < 0x80) return [BigInt.asUintN(64, value), at + i + 1];
  }
  return null;
}

function fixed(bytes, at, size) {
  if (at + size > bytes.length) return null;
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = value << 8n | BigInt(bytes[at + i]);
  return [value, at + size];
}

function hexOf(bytes, most) {
  const shown = bytes.subarray(0, most);
  const text = Array.from(shown, b => b.toString(16).padStart(2, "0")).join("");
  return bytes.length > most ? text + "…" : text;
}

function quoted(bytes) {
  try {
    const text = new TextDecoder("utf-8", {fatal: true}).decode(bytes);
    if (!/[\u0000-\u0008\u000b-\u001f\u007f]/.test(text)) {
      return JSON.stringify(text.length > 200 ? text.slice(0, 200) + "…" : text);
    }
  } catch { /* not UTF-8: as bytes */ }
  return "0x" + hexOf(bytes, 24);
}

function numberText(value, type, kind) {
  if (type === "enum") {
    const known = schema.enums[kind] || {};
    return known[value] || `${value} (unknown)`;
  }
  if (type === "bool") return value ? "true" : "false";
  if (type === "zigzag") return String(value >> 1n ^ -(value & 1n));
  if (type === "fixed") return "0x" + value.toString(16).padStart(16, "0");
  return String(value);
}

// All values of a packed column as one text.
function packedText(bytes, type, kind) {
  const out = [];
  let at = 0, count = 0;
  while (at < bytes.length) {
    const next = type === "fixed" ? fixed(bytes, at, 8) : varint(bytes, at);
    if (!next) return out.join(", ") + " … not whole";
    if (count++ < LIST_SHOWN) out.push(numberText(next[0], type, kind));
    at = next[1];
  }
  return `${count}: ` + out.join(", ") + (count > LIST_SHOWN ? ", …" : "");
}

function lengthField(field, bytes, from, base) {
  const known = field.known;
  if (!known) {
    field.text = "0x" + hexOf(bytes, 24);
  } else if (known[1] === "message") {
    field.text = "";
    field.fields = decodeFields(bytes, known[3], base + from);
  } else if (known[1] === "string") {
    field.text = quoted(bytes);
  } else if (known[1] === "bytes") {
    field.text = `${bytes.length} bytes ` + quoted(bytes);
    field.bytes = bytes;
  } else {
    field.text = packedText(bytes, known[1], known[3]);
  }
}

// The fields of a message; `base` is what offsets in `bytes` are added to.
function decodeFields(bytes, message, base) {
  const out = [];
  const fields = schema.messages[message] || {};
  let at = 0;
  while (at < bytes.length) {
    const tag = varint(bytes, at);
    const number = tag ? Number(tag[0] >> 3n) : 0;
    const wire = tag ? Number(tag[0] & 7n) : -1;
    const known = fields[number];
    const field = {name: known ? known[0] : `field ${number}`, number, known,
      at: base + at, kind: known ? known[3] || known[1] : "not in roam.proto"};
    let value = null, behind = bytes.length;
    if (wire === 0) value = varint(bytes, tag[1]);
    else if (wire === 1) value = fixed(bytes, tag[1], 8);
    else if (wire === 5) value = fixed(bytes, tag[1], 4);
    else if (wire === 2) {
      const length = varint(bytes, tag[1]);
      const end = length ? length[1] + Number(length[0]) : Infinity;
      if (end <= bytes.length) {
        lengthField(field, bytes.subarray(length[1], end), length[1], base);
        behind = end;
        value = [0n, end];
      }
    }
    if (!value || number === 0) {
      out.push({name: "rest", kind: "", at: base + at, end: base + bytes.length,
        text: "no whole field from here on", note: true});
      break;
    }
    if (wire !== 2) {
      behind = value[1];
      field.text = known ? numberText(value[0], known[1], known[3])
                         : String(value[0]);
    }
    field.end = base + behind;
    out.push(field);
    at = behind;
  }
  return out;
}

// {name, message, fields, length, cut}
function decodeFrame(bytes, length) {
  const known = schema.frames[bytes[0]];
  const payload = bytes.subarray(HEADER);
  return {
    name: known ? known[0] : `type 0x${bytes[0].toString(16)}`,
    message: known ? known[1] : null,
    length,
    cut: bytes.length < length,
    fields: known ? decodeFields(payload, known[1], HEADER) : [],
  };
}

// Columns or rows that stand in a field of bytes; null: there are none.
async function decodeInside(frame) {
  const inside = INSIDE[frame.message] || {};
  for (const field of frame.fields) {
    const kind = inside[field.name];
    if (!kind || !field.bytes) continue;
    const codec = frame.fields.find(f => f.name === "codec");
    try {
      const deflated = codec && codec.text === "CODEC_DEFLATE";
      const bytes = deflated ? await inflate(field.bytes) : field.bytes;
      return {title: `${kind}${deflated ? ", inflated" : ""}`,
        fields: decodeFields(bytes, kind, 0)};
    } catch {
      return {title: "The payload does not inflate", fields: []};
    }
  }
  return null;
}

// What tells most, for an arrow's label.
function frameLine(frame) {
  return frame.fields
    .filter(f => !f.note && !["token", "device_id", "software", "client_msg_id",
      "device_name", "detail"].includes(f.name))
    .map(f => f.fields
      ? `${f.name}{${frameLine(f)}}`
      : `${f.name}=${f.text.length > 28 ? f.text.slice(0, 27) + "…" : f.text}`)
    .join(" ");
}
