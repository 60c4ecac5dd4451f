/* tunnel-curl SOCKET URL COUNT AT-ONCE [CA-FILE]: fetches the URL so many times with libcurl over a tunnel's
 * Unix socket, at most AT-ONCE at a time, and says "STATUS BYTES" of each, sorted by their end, and the
 * number of connections that curl made. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Fetch {
    CURL *easy;
    size_t len;
} Fetch;

static size_t receive(char *data, size_t size, size_t count, void *user)
{
    Fetch *fetch = user;
    fetch->len += size * count;
    return size * count;
}

static void begin(Fetch *fetch, CURLM *multi, char **argv, const char *ca)
{
    fetch->easy = curl_easy_init();
    curl_easy_setopt(fetch->easy, CURLOPT_UNIX_SOCKET_PATH, argv[1]);
    curl_easy_setopt(fetch->easy, CURLOPT_URL, argv[2]);
    curl_easy_setopt(fetch->easy, CURLOPT_CAINFO, ca);
    curl_easy_setopt(fetch->easy, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(fetch->easy, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(fetch->easy, CURLOPT_WRITEDATA, fetch);
    curl_easy_setopt(fetch->easy, CURLOPT_PRIVATE, fetch);
    curl_multi_add_handle(multi, fetch->easy);
}

/* How many ended. */
static long end_some(CURLM *multi, long *connections)
{
    long ended = 0, status, made;
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left))) {
        Fetch *fetch;
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&fetch);
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &made);
        *connections += made;
        if (result == CURLE_OK)
            printf("%ld %zu\n", status, fetch->len);
        else
            printf("error: %s\n", curl_easy_strerror(result));
        curl_multi_remove_handle(multi, easy);
        curl_easy_cleanup(easy);
        ended++;
    }
    return ended;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    long count = atol(argv[3]), at_once = atol(argv[4]), begun = 0, ended = 0, connections = 0;
    Fetch *fetches = calloc((size_t)count + 1, sizeof *fetches);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM *multi = curl_multi_init();
    while (fetches && ended < count) {
        int running;
        while (begun < count && begun - ended < at_once)
            begin(&fetches[begun++], multi, argv, argc > 5 ? argv[5] : NULL);
        curl_multi_perform(multi, &running);
        ended += end_some(multi, &connections);
        if (ended < begun)
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    printf("connections %ld\n", connections);
    curl_multi_cleanup(multi);
    curl_global_cleanup();
    free(fetches);
    return 0;
}
