import { parseNginxTime } from './nginx-conf.js';
import type { ProxyLimit } from './proxy-rules.js';
import type { YamlValue } from './yaml-value.js';

const ANNOTATIONS: Readonly<Record<string, ProxyLimit['limits']>> = {
  'nginx.ingress.kubernetes.io/proxy-read-timeout': 'answer',
  'nginx.ingress.kubernetes.io/proxy-send-timeout': 'body',
  'nginx.ingress.kubernetes.io/client-body-timeout': 'body',
  'nginx.ingress.kubernetes.io/upstream-keepalive-timeout': 'idle',
  'haproxy.org/timeout-server': 'answer',
  'service.beta.kubernetes.io/aws-load-balancer-connection-idle-timeout': 'idle',
};

const ALB_ATTRIBUTES = 'alb.ingress.kubernetes.io/load-balancer-attributes';

/** The limits that an Ingress or Service sets by annotation. */
export function limitsInAnnotations(object: YamlValue): ProxyLimit[] {
  return object.get('metadata', 'annotations').entries.flatMap(([name, value]): ProxyLimit[] => {
    const { file, line, text = '' } = value;
    if (name === ALB_ATTRIBUTES) {
      const idle = /idle_timeout\.timeout_seconds=(?<seconds>\d+)/.exec(text)?.groups?.['seconds'];
      return idle ? [{ file, line, name, ms: Number(idle) * 1_000, limits: 'idle' }] : [];
    }
    const limits = Object.hasOwn(ANNOTATIONS, name) ? ANNOTATIONS[name] : undefined;
    const ms = parseNginxTime(text);
    return limits && ms !== undefined ? [{ file, line, name, ms, limits }] : [];
  });
}
