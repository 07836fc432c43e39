/* SPDX-License-Identifier: Apache-2.0 */
/* Missing history: first the survey, then hole after hole, one page at a
 * time. The store knows where to go on; here is only the page under way, so
 * a lost connection or a killed program costs at most that page. A page that
 * the program asks for goes before them. Its rows are stored, too, but it
 * ends no hole: it may be of any place. */
#include <string.h>

#include "driver.h"
#include "frame.h"
#include "roam_limits.h"
#include "utf8.h"

void roam__posix_pages_begin(struct roam_posix *p)
{
    p->pages.synced = false;
    p->pages.stopped = false;
}

/* ------------------------------------------------------------------ asking */

enum wanted {
    NOTHING,
    SURVEY,
    HISTORY
};

/* What to ask for next. */
static enum wanted next_wanted(struct roam_posix *p,
                               struct roam_local_survey *survey,
                               struct roam_local_hole *hole)
{
    const struct roam__pages *pages = &p->pages;
    bool found = false;
    if (!pages->synced || pages->stopped ||
        p->failure != ROAM_POSIX_STATUS_OK || pages->lost >= PAGES_LOST_MAX) {
        return NOTHING;
    }
    if (!p->config.no_survey || pages->fetch) {
        if (!roam__posix_stored(p,
                                roam_local_survey(p->store, survey, &found))) {
            return NOTHING;
        }
        if (found) {
            return SURVEY;
        }
    }
    if (!p->config.fill_holes && !pages->fetch) {
        return NOTHING;
    }
    const char *conversation = pages->fetch && pages->fetch_conversation[0]
                                   ? pages->fetch_conversation
                                   : NULL;
    if (!roam__posix_stored(
            p, roam_local_hole(p->store, conversation, hole, &found))) {
        return NOTHING;
    }
    if (!found && conversation && p->config.fill_holes &&
        !roam__posix_stored(p, roam_local_hole(p->store, NULL, hole, &found))) {
        return NOTHING;
    }
    return found ? HISTORY : NOTHING;
}

static struct roam_bytes text_of(const char *text)
{
    struct roam_bytes b = {(const uint8_t *)text, strlen(text)};
    return b;
}

/* The page that the program wants. */
static void ask_wish(struct roam_posix *p)
{
    struct roam__wish *w = &p->wish;
    struct roam_bytes of = text_of(w->conversation);
    if (w->list && !roam__posix_stored(
                       p, roam_local_survey(p->store, &w->place, &w->due))) {
        return;
    }
    p->pages.survey = w->list;
    p->pages.superseded = false;
    w->under_way =
        (w->list ? roam_client_conversations(&p->client, w->ref, w->before, of,
                                             w->max_rows, roam__posix_now_ms(p))
                 : roam_client_history(
                       &p->client, w->ref, of, w->before, w->after, false,
                       w->max_rows, roam__posix_now_ms(p))) == ROAM_STATUS_OK;
}

void roam__posix_ask(struct roam_posix *p)
{
    struct roam__pages *pages = &p->pages;
    struct roam_local_survey survey;
    struct roam_local_hole hole;
    enum roam_status status = ROAM_STATUS_BAD_STATE;
    if (pages->under_way || p->wish.under_way ||
        !roam_client_logged_in(&p->client) || roam__posix_ask_question(p)) {
        return;
    }
    if (p->wish.ref != 0 && p->failure == ROAM_POSIX_STATUS_OK) {
        ask_wish(p);
        return;
    }
    enum wanted wanted = next_wanted(p, &survey, &hole);
    pages->first = pages->last = 0;
    if (wanted == SURVEY) {
        status = roam_client_conversations(
            &p->client, ++pages->ref, survey.before,
            text_of(survey.conversation), PAGE_ROWS, roam__posix_now_ms(p));
    } else if (wanted == HISTORY) {
        pages->hole = hole;
        status = roam_client_history(
            &p->client, ++pages->ref, text_of(hole.conversation), hole.below,
            hole.above, false, PAGE_ROWS, roam__posix_now_ms(p));
    }
    pages->under_way = status == ROAM_STATUS_OK;
    pages->survey = wanted == SURVEY;
    pages->superseded = false;
}

/* ----------------------------------------------------------------- answers */

static void take_row(struct roam_posix *p, const struct roam_entry_event *row)
{
    struct roam__pages *pages = &p->pages;
    if (!pages->survey) {
        pages->first = pages->first ? pages->first : row->msg_id;
        pages->last = row->msg_id;
        (void)roam__posix_stored(p, roam_local_add_history(p->store, row));
        return;
    }
    pages->at.before = row->msg_id;
    memcpy(pages->at.conversation, row->conversation.data,
           row->conversation.len);
    pages->at.conversation[row->conversation.len] = '\0';
    (void)roam__posix_stored(p, roam_local_survey_row(p->store, row));
}

static void tell_holes(struct roam_posix *p)
{
    struct roam_local_counts counts;
    struct roam_posix_event event;
    if (roam__posix_stored(p, roam_local_count(p->store, &counts)) &&
        !counts.survey_due) { /* a void page ends no survey */
        memset(&event, 0, sizeof event);
        event.type = ROAM_POSIX_HOLES;
        event.u.holes.count = counts.holes;
        roam__posix_tell(p, &event, NULL);
    }
}

static void end_survey_page(struct roam_posix *p, bool more, uint64_t as_of)
{
    if (p->pages.superseded) {
        return;
    }
    if (roam__posix_stored(p, roam_local_survey_page(p->store,
                                                     more ? &p->pages.at : NULL,
                                                     as_of)) &&
        !more) {
        tell_holes(p);
    }
}

static void tell_filled(struct roam_posix *p, uint32_t rows, uint32_t code)
{
    struct roam_posix_event event;
    struct roam_local_hole hole;
    bool found = false;
    if (!roam__posix_stored(p, roam_local_hole(p->store,
                                               p->pages.hole.conversation,
                                               &hole, &found))) {
        return;
    }
    memset(&event, 0, sizeof event);
    event.type = ROAM_POSIX_FILLED;
    event.u.filled.rows = rows;
    event.u.filled.done = !found;
    event.u.filled.code = code;
    event.message.conversation = text_of(p->pages.hole.conversation);
    roam__posix_tell(p, &event, NULL);
}

static void end_page(struct roam_posix *p, const struct roam_event *e)
{
    bool more = e->u.page_end.more;
    p->pages.lost = 0;
    if (p->pages.survey) {
        end_survey_page(p, more, e->u.page_end.as_of);
    } else if (roam__posix_stored(p,
                                  roam_local_hole_page(p->store, &p->pages.hole,
                                                       p->pages.first,
                                                       p->pages.last, more))) {
        tell_filled(p, e->u.page_end.rows, 0);
    }
}

static void page_failed(struct roam_posix *p, uint32_t code)
{
    if (code == 0) {
        p->pages.lost++;
        return;
    }
    if (p->pages.survey) {
        p->pages.stopped = true;
        return;
    }
    if (code != roam_v1_ErrorCode_NO_SUCH_CONVERSATION) {
        p->pages.stopped = true;
    } else if (!roam__posix_stored(
                   p, roam_local_drop_holes(p->store,
                                            p->pages.hole.conversation))) {
        return;
    }
    tell_filled(p, 0, code);
}

/* Of the program's list: it may be the one that the survey needs next; else
 * the survey stays where it is, and only knows as of when it was. */
static void end_list(struct roam_posix *p, bool more, uint64_t as_of)
{
    const struct roam__wish *w = &p->wish;
    bool next =
        !w->due || (w->place.before == w->before &&
                    strcmp(w->place.conversation, w->conversation) == 0);
    if (p->pages.superseded) {
        return;
    }
    if (roam__posix_stored(p, roam_local_survey_page(p->store,
                                                     !next  ? &w->place
                                                     : more ? &p->pages.at
                                                            : NULL,
                                                     as_of)) &&
        w->due && next && !more) {
        tell_holes(p);
    }
}

/* Of the program's page. */
static void answer_wish(struct roam_posix *p, const struct roam_event *e)
{
    if (e->type == ROAM_EVENT_PAGE_ROW) {
        take_row(p, &e->u.page_row.row);
    } else {
        if (e->type == ROAM_EVENT_PAGE_END && p->wish.list) {
            end_list(p, e->u.page_end.more, e->u.page_end.as_of);
        }
        memset(&p->wish, 0, sizeof p->wish);
    }
    roam__posix_tell_engine(p, e);
}

void roam__posix_page(struct roam_posix *p, const struct roam_event *e)
{
    if (p->wish.under_way) {
        answer_wish(p, e);
        return;
    }
    if (e->type == ROAM_EVENT_PAGE_ROW) {
        take_row(p, &e->u.page_row.row);
        return;
    }
    p->pages.under_way = false;
    if (e->type == ROAM_EVENT_PAGE_END) {
        end_page(p, e);
    } else {
        page_failed(p, e->u.page_failed.code);
    }
}

/* ------------------------------------------------------------------ public */

enum roam_posix_status roam_posix_fetch(struct roam_posix *p,
                                        const char *conversation)
{
    size_t len = conversation ? strlen(conversation) : 0;
    if (len >= sizeof p->pages.fetch_conversation) {
        return ROAM_POSIX_STATUS_BAD_ARGUMENT;
    }
    if (len > 0) {
        memcpy(p->pages.fetch_conversation, conversation, len);
    }
    p->pages.fetch_conversation[len] = '\0';
    p->pages.fetch = true;
    p->pages.lost = 0;
    p->pages.stopped = false;
    if (p->phase == OPEN) {
        roam__posix_ask(p);
        roam__posix_write(p);
    }
    return ROAM_POSIX_STATUS_OK;
}

static enum roam_posix_status wish(struct roam_posix *p,
                                   const char *conversation,
                                   struct roam__wish *w, uint64_t *ref)
{
    size_t len = strlen(conversation);
    bool named = !w->list || w->before != 0;
    if (len >= sizeof w->conversation || (len > 0) != named ||
        !roam_utf8_valid(conversation, len) || w->before > ROAM_VERSION_MAX ||
        w->after > ROAM_VERSION_MAX || w->max_rows > ROAM_PAGE_ROWS_MAX) {
        return ROAM_POSIX_STATUS_BAD_ARGUMENT;
    }
    if (p->wish.ref != 0) {
        return ROAM_POSIX_STATUS_BAD_STATE;
    }
    memcpy(w->conversation, conversation, len + 1);
    w->max_rows = w->max_rows ? w->max_rows : PAGE_ROWS;
    *ref = w->ref = ++p->pages.ref;
    p->wish = *w;
    if (p->phase == OPEN) {
        roam__posix_ask(p);
        roam__posix_write(p);
    }
    return ROAM_POSIX_STATUS_OK;
}

enum roam_posix_status roam_posix_history(struct roam_posix *p,
                                          const char *conversation,
                                          uint64_t before, uint64_t after,
                                          uint32_t max_rows, uint64_t *ref)
{
    struct roam__wish w = {
        .before = before, .after = after, .max_rows = max_rows};
    return wish(p, conversation, &w, ref);
}

enum roam_posix_status roam_posix_conversations(struct roam_posix *p,
                                                uint64_t before,
                                                const char *conversation,
                                                uint32_t max_rows,
                                                uint64_t *ref)
{
    struct roam__wish w = {
        .list = true, .before = before, .max_rows = max_rows};
    return wish(p, conversation, &w, ref);
}

bool roam_posix_fetching(struct roam_posix *p)
{
    struct roam_local_survey survey;
    struct roam_local_hole hole;
    return p->pages.under_way || next_wanted(p, &survey, &hole) != NOTHING;
}
