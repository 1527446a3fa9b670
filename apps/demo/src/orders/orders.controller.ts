import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { NumberPipe } from '../input/number.pipe.js';
import { readNewOrder } from './new-order.js';
import type { Order } from './order.entity.js';
import { OrdersService } from './orders.service.js';

const orderId = new NumberPipe({ min: 1, max: 2 ** 31 - 1, whole: true });
const limit = new NumberPipe({ min: 1, max: 1_000, whole: true, fallback: 20 });

@Controller('v1/orders')
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Get()
  async list(@Query('limit', limit) count: number): Promise<{ items: Order[] }> {
    return { items: await this.orders.newest(count) };
  }

  @Get(':id')
  one(@Param('id', orderId) id: number): Promise<Order> {
    return this.orders.byId(id);
  }

  @Post()
  create(@Body() body: unknown): Promise<Order> {
    return this.orders.create(readNewOrder(body));
  }
}
