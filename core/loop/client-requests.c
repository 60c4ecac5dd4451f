/* Who has a part in a client's connection: those who take the server's channels, those who asked a global
 * request, those who want to know of its end; and what the server may be asked. */
#include <string.h>

#include "base/memory.h"
#include "loop/client-private.h"

/* Tags from here up are ours, below are the application's own. */
#define TAG_FIRST 0x80000000u
#define OPENSSH_FIRST 5 /* the first release with all of what is asked of it */

typedef struct GlobalRequest {
    LyLink link;
    uint32_t tag;
    LyGlobalDone done; /* NULL: nobody waits any more */
    void *user;
} GlobalRequest;

void ly_client_requests_init(LyClient *client)
{
    ly_list_init(&client->acceptors);
    ly_list_init(&client->dependents);
    ly_list_init(&client->global_requests);
}

static LyConnection *connection_of(LyClient *client)
{
    LySession *session = ly_client_session(client);
    return session ? ly_session_connection(session) : NULL;
}

LyLoop *ly_client_loop(const LyClient *client)
{
    return client->loop;
}

/* Channels that the server opens. */

void ly_client_add_acceptor(LyClient *client, LyAcceptor *acceptor)
{
    ly_list_append(&client->acceptors, &acceptor->link);
}

void ly_client_remove_acceptor(LyAcceptor *acceptor)
{
    ly_link_remove(&acceptor->link);
}

bool ly_client_open_requested(LyClient *client, const LyConnectionEvent *event)
{
    ly_list_each(&client->acceptors, LyAcceptor, link, acceptor)
    {
        if (acceptor->open_request(acceptor->user, event))
            return true;
    }
    return false;
}

void ly_client_drop_acceptors(LyClient *client)
{
    ly_list_each(&client->acceptors, LyAcceptor, link, acceptor) ly_link_remove(&acceptor->link);
}

/* The end. */

void ly_client_add_dependent(LyClient *client, LyDependent *dependent)
{
    ly_list_append(&client->dependents, &dependent->link);
}

void ly_client_remove_dependent(LyDependent *dependent)
{
    ly_link_remove(&dependent->link);
}

void ly_client_tell_dependents(LyClient *client, const LyError *error)
{
    LyDependent *dependent;
    while ((dependent = ly_list_first(&client->dependents, LyDependent, link))) {
        ly_link_remove(&dependent->link);
        dependent->ended(dependent->user, error);
    }
}

/* Global requests. */

void ly_client_global_request(LyClient *client, LyBytes type, LyBytes data, LyGlobalDone done, void *user)
{
    LyConnection *connection = connection_of(client);
    if (!connection) {
        if (done)
            done(user, false, (LyBytes){0});
        return;
    }
    uint32_t tag = TAG_FIRST | client->global_count++;
    if (done) {
        GlobalRequest *request = ly_new(GlobalRequest);
        *request = (GlobalRequest){.tag = tag, .done = done, .user = user};
        ly_list_append(&client->global_requests, &request->link);
    }
    ly_global_request(connection, type, done != NULL, tag, data);
    ly_client_flush(client);
}

static void complete(GlobalRequest *request, bool success, LyBytes data)
{
    LyGlobalDone done = request->done;
    void *user = request->user;
    ly_link_remove(&request->link);
    ly_free(request);
    if (done)
        done(user, success, data);
}

bool ly_client_global_replied(LyClient *client, const LyConnectionEvent *event)
{
    if (event->number < TAG_FIRST)
        return false;
    GlobalRequest *request = ly_list_first(&client->global_requests, GlobalRequest, link);
    if (request && request->tag == event->number)
        complete(request, event->success, event->data);
    return true;
}

void ly_client_requests_fail(LyClient *client)
{
    GlobalRequest *request;
    while ((request = ly_list_first(&client->global_requests, GlobalRequest, link)))
        complete(request, false, (LyBytes){0});
}

void ly_client_forget_requests(LyClient *client, const void *user)
{
    ly_list_each(&client->global_requests, GlobalRequest, link, request)
    {
        if (request->user == user)
            request->done = NULL;
    }
}

/* What the server knows. */

bool ly_client_speaks_openssh(LyClient *client)
{
    LySession *session = ly_client_session(client);
    if (client->destination->any_vendor)
        return true;
    if (!session)
        return false;
    static const char *const makes[] = {"SSH-2.0-OpenSSH_", "SSH-2.0-OpenSSH_for_Windows_"};
    LyBytes ident = ly_transport_peer_ident(ly_session_transport(session));
    if (ly_bytes_starts_with(ident, "SSH-2.0-Lanyard_"))
        return true;
    for (size_t i = 0; i < LY_COUNT(makes); i++) {
        if (!ly_bytes_starts_with(ident, makes[i]))
            continue;
        unsigned version = 0;
        for (size_t at = strlen(makes[i]); at < ident.len && version < 1000; at++) {
            if (ident.data[at] < '0' || ident.data[at] > '9')
                break;
            version = version * 10 + (unsigned)(ident.data[at] - '0');
        }
        if (version >= OPENSSH_FIRST)
            return true;
    }
    return false;
}

void ly_client_no_more_sessions(LyClient *client)
{
    if (ly_client_speaks_openssh(client))
        ly_client_global_request(client, LY_BYTES("no-more-sessions@openssh.com"), (LyBytes){0}, NULL, NULL);
}

void ly_client_set_no_delay(LyClient *client, bool on)
{
    if (client->drive)
        ly_carrier_set_no_delay(ly_drive_carrier(client->drive), on);
}
