/* http-get: a page as a server sees it, http or https, by libcurl through the server.
 *     http-get user@gate https://intranet.example/
 * LyTunnel makes a private Unix socket, each of whose connections is one to the web server; libcurl is told
 * to connect there (CURLOPT_UNIX_SOCKET_PATH) and does all else as ever: names, TLS, certificates. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "common.h"
#include "loop/tunnel.h"

typedef struct Get {
    Example example;
    char *url;
    const char *ca_file;
    LyTunnel *tunnel;
    const char *socket;
    CURLcode result;
} Get;

/* In a thread of the loop's, because libcurl waits in here while the loop moves the bytes. (curl's multi
 * interface would need no thread: its descriptors can be watched with ly_watch_new.) */
static void fetch(void *data)
{
    Get *get = data;
    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, get->url);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, get->socket);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    if (get->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, get->ca_file);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, stdout);
    get->result = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
}

static void fetched(void *data, bool cancelled)
{
    Get *get = data;
    if (get->result != CURLE_OK)
        example_say(&get->example, "%s: %s", get->url, curl_easy_strerror(get->result));
    example_end(&get->example, get->result == CURLE_OK ? 0 : EXAMPLE_FAILED);
}

/* The URL's host and port are the tunnel's target; the server resolves the name. */
static bool open_tunnel(Get *get, LyError *error)
{
    CURLU *url = curl_url();
    char *host = NULL, *port = NULL;
    if (curl_url_set(url, CURLUPART_URL, get->url, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        LyTunnelOptions options = {0};
        get->tunnel = ly_tunnel_new(get->example.client, &options);
        get->socket = ly_tunnel_listen(get->tunnel, host, example_port(&get->example, port), error);
    } else {
        ly_error_set(error, LY_ERROR_INVALID, "%s is not a URL", get->url);
    }
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(url);
    return get->socket != NULL;
}

static void ready(void *user)
{
    Get *get = user;
    LyError error;
    if (open_tunnel(get, &error))
        ly_loop_work(get->example.loop, fetch, fetched, get);
    else
        example_fail(&get->example, &error);
}

int main(int argc, char **argv)
{
    Get get = {.result = CURLE_OK};
    example_init(&get.example, argc, argv, "[-c CA-file] [-p port] [-o Name=value] [user@]host URL");
    while (example_option(&get.example, argc, argv, "c:") != -1)
        get.ca_file = optarg;
    example_expect(&get.example, argc, 2, false);
    example_set_host(&get.example, argv[optind]);
    get.url = argv[optind + 1];
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = example_run(&get.example, ready, &get);
    ly_tunnel_free(get.tunnel); /* ends a transfer that is still under way */
    example_clear(&get.example);
    curl_global_cleanup();
    return status;
}
