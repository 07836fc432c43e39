/* SPDX-License-Identifier: Apache-2.0 */
/* See fields.h. */
#include "fields.h"

#include "roam_limits.h"
#include "utf8.h"

#define OK roam_v1_ErrorCode_ERROR_UNSPECIFIED
#define MALFORMED roam_v1_ErrorCode_MALFORMED
#define INVALID_UTF8 roam_v1_ErrorCode_INVALID_UTF8
#define FIELD_RANGE roam_v1_ErrorCode_FIELD_RANGE

static uint8_t wire_type(uint8_t form)
{
    switch (form) {
    case ROAM__UINT32:
    case ROAM__UINT64:
    case ROAM__VERSION:
        return ROAM__WIRE_VARINT;
    case ROAM__FIXED64:
        return ROAM__WIRE_FIXED64;
    default:
        return ROAM__WIRE_BYTES;
    }
}

static roam_v1_ErrorCode check_text(const struct roam__field *f, size_t min,
                                    size_t max)
{
    if (f->bytes.len > max) {
        return MALFORMED;
    }
    if (!roam_utf8_valid((const char *)f->bytes.data, f->bytes.len)) {
        return INVALID_UTF8;
    }
    return f->bytes.len < min ? FIELD_RANGE : OK;
}

static roam_v1_ErrorCode check_number(const struct roam__field_rule *rule,
                                      uint64_t value)
{
    switch (rule->form) {
    case ROAM__UINT32:
        if (value > UINT32_MAX) {
            return MALFORMED;
        }
        return value < rule->min || value > rule->max ? FIELD_RANGE : OK;
    case ROAM__VERSION:
        return value < rule->min || value > ROAM_VERSION_MAX ? FIELD_RANGE : OK;
    default:
        return value < rule->min ? FIELD_RANGE : OK;
    }
}

/* Checks one field that is there against its rule. */
static roam_v1_ErrorCode check_field(const struct roam__field_rule *rule,
                                     const struct roam__field *f,
                                     struct roam__found *found)
{
    if (f->type != wire_type(rule->form)) {
        return MALFORMED;
    }
    switch (rule->form) {
    case ROAM__TEXT:
        return check_text(f, rule->min, rule->max);
    case ROAM__TEXTS:
        return check_text(f, 1, ROAM_USER_MAX);
    case ROAM__BYTES:
        if (f->bytes.len > rule->max) {
            return MALFORMED;
        }
        return f->bytes.len < rule->min ? FIELD_RANGE : OK;
    case ROAM__BODY:
        found->body = f->bytes;
        return f->bytes.len < rule->min ? FIELD_RANGE : OK;
    case ROAM__HOLDER:
        found->holder = f->bytes;
        return OK;
    default:
        return check_number(rule, f->value);
    }
}

roam_v1_ErrorCode roam__worse_fault(roam_v1_ErrorCode a, roam_v1_ErrorCode b)
{
    if (a == MALFORMED || b == MALFORMED) {
        return MALFORMED;
    }
    if (a == INVALID_UTF8 || b == INVALID_UTF8) {
        return INVALID_UTF8;
    }
    return a == OK ? b : a;
}

static const struct roam__field_rule *rule_of(
    const struct roam__field_rule *rules, size_t count, uint32_t number)
{
    for (size_t i = 0; i < count; i++) {
        if (rules[i].number == number) {
            return &rules[i];
        }
    }
    return NULL;
}

/* Keeps the field for the caller. Of a list, also how many there are. */
static roam_v1_ErrorCode keep(const struct roam__field_rule *rule,
                              const struct roam__field *f,
                              struct roam__found *found)
{
    struct roam__field *place;
    uint64_t before;
    if (found->values == NULL) {
        return OK;
    }
    place = &found->values[rule->number];
    before = place->value;
    *place = *f;
    if (rule->form != ROAM__TEXTS) {
        return OK;
    }
    place->value = before + 1;
    return place->value > rule->max ? FIELD_RANGE : OK;
}

roam_v1_ErrorCode roam__fields_check(const struct roam__field_rule *rules,
                                     size_t count, struct roam_slice payload,
                                     struct roam__found *found)
{
    roam_v1_ErrorCode error = OK;
    uint32_t seen = 0; /* bit n: field number n */
    while (payload.len != 0) {
        struct roam__field f;
        if (!roam__wire_field(&payload, &f)) {
            return MALFORMED;
        }
        const struct roam__field_rule *rule = rule_of(rules, count, f.number);
        if (rule == NULL) {
            continue;
        }
        if ((seen & 1u << f.number) != 0 && rule->form != ROAM__TEXTS) {
            return MALFORMED;
        }
        seen |= 1u << f.number;
        error = roam__worse_fault(error, check_field(rule, &f, found));
        error = roam__worse_fault(error, keep(rule, &f, found));
    }
    for (size_t i = 0; i < count; i++) {
        if (rules[i].min != 0 && (seen & 1u << rules[i].number) == 0) {
            error = roam__worse_fault(error, FIELD_RANGE);
        }
    }
    return error;
}
