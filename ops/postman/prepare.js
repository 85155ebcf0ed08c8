// This runs before each request. A variable of the request that has no value yet, such as {{video_id}}, gets one: `makers`
// tells which request makes it. That request may itself need something that has to be made first.
// 每个请求发送之前运行：请求里还没有值的变量（例如 {{video_id}}），由 `makers` 里写明的请求先创建出来。
const makers = {};

const named = (request) => (JSON.stringify(request).match(/{{\w+}}/g) || []).map((name) => name.slice(2, -2));
const chooseName = () => pm.collectionVariables.set("free_name", `student${Math.random().toString(36).slice(2, 10)}`);

function prepare(request, send) {
    chooseName();
    const name = named(request).find((one) => makers[one] && !pm.variables.get(one));
    if (!name) {
        send();
        return;
    }
    const maker = makers[name];
    prepare([maker.request, maker.after], () => {
        pm.sendRequest(JSON.parse(pm.variables.replaceIn(JSON.stringify(maker.request))), (error, answer) => {
            const value = !error && answer.code < 300 && maker.read(answer);
            if (!value) {
                throw new Error(`No ${name}: "${maker.name}" answered ${error || `${answer.code} ${answer.text()}`}`);
            }
            pm.collectionVariables.set(name, String(value));
            maker.takes.forEach((one) => pm.collectionVariables.set(one, ""));
            prepare(request, send);
        });
    });
}

prepare(pm.request, () => {});
